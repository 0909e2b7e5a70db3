"""``/credential/<link>``: where the logged-in owner types the value of one credential.

A look spends nothing. The form carries what the page showed of the server: when the server has
become another one meanwhile, nothing is stored and the page is shown anew.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import cast

from quart import Blueprint, Response, make_response, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from gateway.credential_requests.links import PATH, CredentialRequest, Links
from gateway.credentials import CredentialRefused, Credentials
from gateway.dashboard.browser import Browser
from gateway.servers import ServerReport, Servers
from sandboxes.policy import Network, NetworkMode
from supervisor.errors import SupervisorError

SPENT = (
    "This link was used, is too old, or another one took its place; have Claude ask for a new one."
)
CHANGED = "The server is another one than a moment ago. Look again before you go on."


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page says of the server; a change of any of it makes an open form void."""

    server: str
    kind: str
    description: str
    key: str
    wanted: str | None
    """What the server says of the key; None: it does not declare it."""
    reaches: str
    code: str
    """The digest of what runs with the value."""

    def digest(self) -> str:
        """Return what the form carries."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()


class ServerChanged(Exception):
    """Other code came between the page and the value."""


class CredentialPages:
    """The handlers, with what they need."""

    def __init__(
        self, browser: Browser, links: Links, servers: Servers, credentials: Credentials
    ) -> None:
        self._browser = browser
        self._links = links
        self._servers = servers
        self._credentials = credentials

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        pages = Blueprint("credential", __name__, template_folder="templates")
        pages.get(f"{PATH}/<link>")(self.show)
        pages.post(f"{PATH}/<link>")(self.store)
        return pages

    async def show(self, link: str) -> Response:
        """Ask for the value."""
        self._browser.require_session()
        return await self._form(*self._find(link))

    async def store(self, link: str) -> Response:
        """Take the value, spend the link, and start the server with it."""
        self._browser.require_session()
        asked, shown = self._find(link)
        form = cast("MultiDict[str, str]", await request.form)  # pyright: ignore[reportUnknownMemberType]
        if form.get("shown") != shown.digest():
            return await self._form(asked, shown, problem=CHANGED)
        # A browser sends the lines of a text area with CRLF; a key file has LF.
        value = form.get("value", "").replace("\r\n", "\n").strip("\n")
        try:
            self._credentials.check(asked.server, asked.key, value)
        except CredentialRefused as error:
            return await self._form(asked, shown, problem=str(error))

        async def take() -> None:
            if self._find(link)[1] != shown:
                raise ServerChanged
            self._links.spend(link)
            await self._credentials.set(asked.server, asked.key, value)

        try:
            report = await self._servers.renew(asked.server, before=take)
        except ServerChanged:
            return await self._form(*self._find(link), problem=CHANGED)
        sentence = f"{asked.key} of server {asked.server} is stored. {_standing(report)}"
        return await _page("message.html", title="Credential stored", sentence=sentence)

    def _find(self, link: str) -> tuple[CredentialRequest, Shown]:
        asked = self._links.find(link)
        if asked is None:
            raise NotFound(SPENT)
        try:
            spec = self._servers.spec(asked.server)
        except SupervisorError as error:
            raise NotFound(str(error)) from error
        wanted = {each.key: each.description for each in spec.credentials}
        return asked, Shown(
            server=spec.name,
            kind=spec.kind.value,
            description=spec.description,
            key=asked.key,
            wanted=wanted.get(asked.key),
            reaches=_reach(spec.network),
            code=spec.digest,
        )

    async def _form(
        self, asked: CredentialRequest, shown: Shown, problem: str | None = None
    ) -> Response:
        ends_at = datetime.fromtimestamp(asked.ends_at / 1000, UTC)
        page = await _page(
            "credential.html",
            asked=asked,
            shown=shown,
            ends_at=f"{ends_at:%H:%M} UTC",
            is_set=asked.key in await self._credentials.keys(asked.server),
            problem=problem,
        )
        page.status_code = 200 if problem is None else 400
        return page


def _reach(network: Network) -> str:
    match network.mode:
        case NetworkMode.NONE:
            return "no network at all"
        case NetworkMode.HOSTS:
            return ", ".join(network.hosts)
        case NetworkMode.FULL:
            return "every host on the network"


def _standing(report: ServerReport) -> str:
    if report.failure is not None:
        return report.failure.sentence
    return f"The server is {report.snapshot.state}."


async def _page(template: str, **shown: object) -> Response:
    return cast("Response", await make_response(await render_template(template, **shown)))
