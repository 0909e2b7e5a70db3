"""The pages put together, and their addresses.

`/servers` is the list and `/server/<name>` a server, for `/servers/<name>/mcp` is the relay's.
"""

from quart import Blueprint

from gateway.approvals import Approvals
from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.server_pages.acting import ActingPages
from gateway.server_pages.code import CodePages
from gateway.server_pages.creating import CreatingPages
from gateway.server_pages.credentials import SecretPages
from gateway.server_pages.deciding import DecidingPages
from gateway.server_pages.desk import Desk
from gateway.server_pages.logs import LogPages
from gateway.server_pages.policy import PolicyPages
from gateway.server_pages.searching import SearchPages
from gateway.server_pages.state import StatePages
from gateway.server_pages.tool_pages import ToolPages
from gateway.server_pages.trying import LONGEST_WAIT_S, Trying
from gateway.server_pages.versions import VersionPages
from gateway.tools.services import Services
from gateway.tools.tool_search import ToolSearch


def open_server_pages(services: Services, browser: Browser, live: Live) -> Blueprint:
    """Return the routes; all want a session."""
    approvals = Approvals(services.supervisor)
    desk = Desk(browser, services.servers, services.supervisor, services.credentials, approvals)
    pages = Blueprint("servers", __name__, template_folder="templates")

    async def require_session() -> None:
        browser.require_session()

    pages.before_request(require_session)
    trying = Trying(
        services.supervisor,
        services.calls,
        services.results,
        services.trail,
        wait_s=min(services.settings.long_call_s, LONGEST_WAIT_S),
    )
    rooms = (
        StatePages(desk, live),
        ActingPages(desk),
        LogPages(desk, live.streams),
        ToolPages(desk, trying, live),
        DecidingPages(desk, approvals),
        PolicyPages(desk),
        SecretPages(desk),
        VersionPages(desk),
        CodePages(desk, services.trials),
        CreatingPages(desk),
        SearchPages(ToolSearch(services.supervisor.snapshots)),
    )
    for room in rooms:
        room.add_to(pages)
    return pages
