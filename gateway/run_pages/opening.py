"""How a gateway gets the pages of runs."""

from quart import Blueprint

from gateway.dashboard.live import Live
from gateway.dashboard.login import Login
from gateway.domain.clock import utc_ms
from gateway.run_pages.history import RunHistory
from gateway.run_pages.pages import RunPages
from gateway.tools.services import Services


def open_run_pages(services: Services, login: Login, live: Live) -> Blueprint:
    """Return the list of runs and the page of each."""
    store, zone = services.store, services.settings.default_timezone
    return RunPages(
        login.browser,
        login.sessions,
        store,
        services.runner,
        services.shelf,
        RunHistory(store, zone, utc_ms),
        live,
    ).blueprint()
