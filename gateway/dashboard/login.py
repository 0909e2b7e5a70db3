"""What lets the owner in, put together: sessions, his browser, his password, the throttle."""

import time

from quart import Blueprint

from gateway.auth.access_tokens import Fingerprints
from gateway.auth.origins import Origins
from gateway.dashboard.browser import Browser
from gateway.dashboard.known_browsers import KnownBrowsers
from gateway.dashboard.local_routes import LocalDashboard
from gateway.dashboard.password import OwnersPassword
from gateway.dashboard.sessions import Sessions
from gateway.dashboard.throttle import Throttle
from gateway.domain.clock import utc_ms
from gateway.settings import Settings
from gateway.store import Store


class Login:
    """The parts that the pages share."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        origins: Origins,
        password: OwnersPassword | None,
        throttle: Throttle,
        known_browsers: KnownBrowsers,
    ) -> None:
        self.sessions = sessions
        self.origins = origins
        self.throttle = throttle
        self.known_browsers = known_browsers
        self.browser = Browser(sessions, origins, password)

    def local(self) -> Blueprint:
        """Return the routes for the command line."""
        everywhere = self.browser.password is not None
        return LocalDashboard(self.sessions, everywhere=everywhere).blueprint()


async def open_login(
    settings: Settings, store: Store, fingerprints: Fingerprints, origins: Origins
) -> Login:
    """Return the login of a gateway by its settings. Raises StoreError.

    Sessions and known browsers are tied to the login: who changes it ends them all.
    """
    password, login = None, "none"
    if settings.dashboard_username and settings.dashboard_password:
        password = OwnersPassword(settings.dashboard_username, settings.dashboard_password)
        login = f"{settings.dashboard_username}\n{settings.dashboard_password.reveal()}"
    signed = fingerprints.of(f"dashboard login {login}")

    def sign(name: str) -> str:
        return fingerprints.of(f"dashboard browser {signed} {name}")

    sessions = Sessions(utc_ms, store.dashboard_sessions, signed)
    await sessions.load()
    return Login(
        sessions=sessions,
        origins=origins,
        password=password,
        throttle=Throttle(time.monotonic),
        known_browsers=KnownBrowsers(sign),
    )
