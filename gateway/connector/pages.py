"""The page on which the owner has the connector looked at, and the same for the command line."""

from typing import Any

from quart import Blueprint, render_template
from werkzeug.exceptions import ServiceUnavailable

from gateway.connector.doctor import ConnectorDoctor
from gateway.connector.report import Report, as_json
from gateway.dashboard.browser import Browser
from gateway.reach.opening import Reach
from gateway.store import StoreError


class ConnectorPages:
    """The handlers, with what they need."""

    def __init__(self, doctor: ConnectorDoctor, browser: Browser, reach: Reach) -> None:
        self._reach = reach
        self._doctor = doctor
        self._browser = browser

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("connector", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.get("/connector")(self.show)
        pages.post("/connector")(self.examine)
        return pages

    async def show(self) -> str:
        """The button."""
        return await self._page(None)

    async def examine(self) -> str:
        """Walk, and show what was seen."""
        return await self._page(await _examine(self._doctor))

    async def _page(self, report: Report | None) -> str:
        tunnel = self._reach.tunnel
        return await render_template(
            "connector.html",
            report=report,
            public=self._reach.origins.public_origin,
            tunnel=None if tunnel is None else tunnel.status.sentence(),
        )

    async def _require_session(self) -> None:
        self._browser.require_session()


def local_routes(doctor: ConnectorDoctor) -> Blueprint:
    """Return ``POST /local/connector``."""
    routes = Blueprint("local_connector", __name__)

    async def examine() -> dict[str, Any]:
        return as_json(await _examine(doctor))

    routes.post("/local/connector")(examine)
    return routes


async def _examine(doctor: ConnectorDoctor) -> Report:
    try:
        return await doctor.examine()
    except StoreError as error:
        raise ServiceUnavailable(str(error)) from error
