"""``/authorize``: what a client asks, shown to the owner, who decides. Every time anew.

The form carries a ticket that binds it to the browser's session and to what was shown, so that
nothing else can be approved with it, and nowhere else.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

from quart import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, ServiceUnavailable

from gateway.dashboard.browser import Browser
from gateway.dashboard.headers import content_security_policy
from gateway.dashboard.login_pages import login_page
from gateway.domain.oauth import ClientSource
from gateway.domain.token import Scope
from gateway.oauth.authorization import (
    PARAMETERS,
    Asked,
    Asker,
    Query,
    Untrusted,
    read_asked,
    read_asker,
    read_scopes,
)
from gateway.oauth.clients import Clients
from gateway.oauth.documents.rules import host_of, is_document_id
from gateway.oauth.errors import OAuthError
from gateway.oauth.grants import Grants
from gateway.oauth.journal import HEADER, Entry, Journal
from gateway.oauth.redirects import form_target, shown_host
from gateway.store import StoreError

TICKET_LIFE_S = 10 * 60
PATHS = ("/authorize", "/oauth/authorize")
WORDS = {
    Scope.READ: "See servers, tools, jobs, runs and webhooks, and read logs and results",
    Scope.RUN: "Call the tools of your servers, and start and end runs",
    Scope.ADMIN: "Everything else: write, change and delete servers, jobs and webhooks, "
    "and set credentials",
}


class Consent:
    """The handlers, with what they need."""

    def __init__(
        self,
        browser: Browser,
        clients: Clients,
        grants: Grants,
        journal: Journal,
        now_ms: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._browser = browser
        self._clients = clients
        self._grants = grants
        self._now_ms = now_ms
        self._key = secrets.token_bytes(32)

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        pages = Blueprint("oauth", __name__, template_folder="templates")
        for path in PATHS:
            pages.get(path)(self.show)
            pages.post(path)(self.decide)
        return pages

    async def show(self) -> Response:
        """Ask the owner, who must be logged in, or say what is wrong with the request."""
        return await self._logged(self._show)

    async def decide(self) -> Response:
        """Take the owner's answer and send the browser back to the client with it."""
        return await self._logged(self._decide)

    async def _show(self, entry: Entry) -> Response:
        query = dict(request.args.lists())
        if self._is_stranger_with_document(query):
            # Only the owner's browser makes the gateway fetch anything.
            entry.note(page="login")
            return await _login_page()
        asker = await self._read_asker(entry, query)
        if not self._browser.is_logged_in():
            # First of all: whoever lures somebody here has them sent nowhere (RFC 9700, 4.11.2).
            entry.note(page="login")
            return await _login_page()
        try:
            asked = read_asked(query, asker)
        except OAuthError as error:
            entry.note(error=error.code)
            return await _refused(asker, error)
        entry.note(resource=asked.resource, scopes=" ".join(sorted(asked.scopes)))
        return await self._consent_page(query, asker, asked)

    async def _decide(self, entry: Entry) -> Response:
        form = cast("MultiDict[str, str]", await request.form)  # pyright: ignore[reportUnknownMemberType]
        query = {name: form.getlist(name) for name in PARAMETERS if name in form}
        if not self._browser.is_logged_in() or not self._holds(form.get("ticket", ""), query):
            raise Forbidden("This page is too old or of another browser; start again there.")
        asker = await self._read_asker(entry, query)
        try:
            asked = read_asked(query, asker)
        except OAuthError as error:
            raise BadRequest(str(error)) from error
        ticked = asked.scopes & read_scopes(" ".join(form.getlist("tick")))
        allowed = form.get("decision") == "approve" and bool(ticked)
        entry.note(decision="approve" if allowed else "deny", resource=asked.resource)
        if not allowed:
            sentence = "The owner said no."
            return _send_back(asker.answer(error="access_denied", error_description=sentence))
        entry.note(scopes=" ".join(sorted(ticked)))
        return _send_back(asker.answer(code=await self._grants.approve(asker, asked, ticked)))

    async def _read_asker(self, entry: Entry, query: Query) -> Asker:
        entry.note(client=next(iter(query.get("client_id", ())), None))
        entry.note(redirect=_address(next(iter(query.get("redirect_uri", ())), "")))
        try:
            return await read_asker(query, self._clients, self._browser.base())
        except Untrusted as error:
            raise BadRequest(str(error)) from error

    def _is_stranger_with_document(self, query: Query) -> bool:
        named = next(iter(query.get("client_id", ())), "")
        return is_document_id(named) and not self._browser.is_logged_in()

    async def _consent_page(self, query: Query, asker: Asker, asked: Asked) -> Response:
        scopes = [each for each in Scope if each in asked.scopes]
        page = await render_template(
            "consent.html",
            client=asker.client,
            described_by=host_of(asker.client.id),
            receiver=shown_host(asker.redirect_uri),
            resource=asked.resource,
            scopes=[(each, WORDS[each], each in asked.ticked) for each in scopes],
            hidden=[(name, value) for name in PARAMETERS for value in query.get(name, ())],
            ticket=self._ticket(query, self._now_ms() + TICKET_LIFE_S * 1000),
        )
        response = _in_any_window(await _response(page))
        policy = content_security_policy(form_target(asker.redirect_uri))
        response.headers["Content-Security-Policy"] = policy
        return response

    def _ticket(self, query: Query, ends_at: int) -> str:
        shown = {name: list(query[name]) for name in PARAMETERS if name in query}
        bound = [self._browser.session_id(), self._browser.base(), ends_at, shown]
        text = json.dumps(bound, sort_keys=True).encode()
        return f"{ends_at}.{hmac.new(self._key, text, hashlib.sha256).hexdigest()}"

    def _holds(self, ticket: str, query: Query) -> bool:
        """True when we made this ticket for this browser and this request, not long ago."""
        try:
            ends_at = int(ticket.partition(".")[0])
        except ValueError:
            return False
        wanted = self._ticket(query, ends_at)
        return hmac.compare_digest(ticket.encode(), wanted.encode()) and self._now_ms() < ends_at

    async def _logged(self, answer: Callable[[Entry], Awaitable[Response]]) -> Response:
        entry = self._journal.entry(request.method, request.path)
        entry.note(agent=request.headers.get("User-Agent"), base=self._browser.base())
        status = 500
        try:
            response = await answer(entry)
            status = response.status_code
        except HTTPException as error:
            status = error.code or status
            raise
        except StoreError as error:
            status = 503
            raise ServiceUnavailable(str(error)) from error
        finally:
            entry.write(status)
        response.headers[HEADER] = entry.id
        return response


async def _login_page() -> Response:
    # Not 401: clients look at this page before they open a browser on it.
    sentence = "A program asks for access to this gateway. Log in to decide."
    return _in_any_window(await login_page(HTTPStatus.OK, sentence=sentence))


async def _refused(asker: Asker, error: OAuthError) -> Response:
    """Tell a client of the owner's own what is wrong; of a stranger the owner decides that."""
    address = asker.answer(error=error.code, error_description=str(error))
    if asker.client.source is ClientSource.PREREGISTERED:
        return _send_back(address)
    page = await render_template(
        "refused.html",
        client=asker.client,
        sentence=str(error),
        receiver=shown_host(asker.redirect_uri),
        address=address,
    )
    response = _in_any_window(await _response(page))
    response.status_code = HTTPStatus.BAD_REQUEST
    return response


def _in_any_window(response: Response) -> Response:
    """Let a client that opened a page in a window of its own hear of the end through it."""
    response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return response


async def _response(page: str) -> Response:
    return cast("Response", await make_response(page))


def _send_back(address: str) -> Response:
    return cast("Response", redirect(address, HTTPStatus.SEE_OTHER))


def _address(uri: str) -> str:
    """Return an address without its query, which may hold a client's secrets."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
