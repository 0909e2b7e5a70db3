"""The page on which the owner has this machine looked at, as `claude-runner doctor` does."""

import anyio
from anyio import to_thread
from quart import Blueprint, render_template

from gateway.dashboard.browser import Browser
from gateway.doctor.findings import Finding
from gateway.doctor.machine import examine
from gateway.settings import Settings


class DoctorPage:
    """The handlers, with what they need."""

    def __init__(self, settings: Settings, browser: Browser) -> None:
        self._settings = settings
        self._browser = browser
        self._looking = anyio.Lock()

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("doctor", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.get("/doctor")(self.show)
        pages.post("/doctor")(self.examine)
        return pages

    async def show(self) -> str:
        """The button."""
        return await self._page(())

    async def examine(self) -> str:
        """Look, one at a time because it starts processes, and show what was found."""
        async with self._looking:
            return await self._page(await to_thread.run_sync(self._look))

    def _look(self) -> tuple[Finding, ...]:
        return tuple(examine(self._settings))

    async def _page(self, findings: tuple[Finding, ...]) -> str:
        return await render_template("doctor.html", findings=findings)

    async def _require_session(self) -> None:
        self._browser.require_session()
