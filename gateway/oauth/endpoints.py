"""The routes for programs: metadata, ``/token``, ``/register``, ``/revoke``.

Browsers of other origins may call them (CORS), for nothing here acts by a cookie.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.auth.origins import Origins
from gateway.oauth.authorization import read_scopes
from gateway.oauth.clients import Clients
from gateway.oauth.errors import OAuthError, invalid_target
from gateway.oauth.grants import ACCESS_LIFE_S, Grants, Issued
from gateway.oauth.journal import HEADER, Journal
from gateway.oauth.metadata import find_document
from gateway.oauth.registration import Registrations
from gateway.oauth.requests import Form, read_credentials, read_form, read_json
from gateway.oauth.resources import read_resource
from gateway.reach.address import client_address, counted_block
from gateway.relay.http import ClientGone, Headers, Receive, Scope, Send, send_body
from gateway.store import StoreError

log = logging.getLogger(__name__)

CORS = {
    b"access-control-allow-origin": b"*",
    b"access-control-allow-methods": b"GET, HEAD, POST, OPTIONS",
    b"access-control-allow-headers": b"authorization, content-type, mcp-protocol-version",
    b"access-control-expose-headers": b"www-authenticate, x-request-id",
    b"access-control-max-age": b"3600",
}
RETRY_AFTER_S = 5
WELL_KNOWN = ".well-known"


class Call:
    """One request: where it came to, what it holds, what is noted of it."""

    def __init__(self, scope: Scope, receive: Receive, base: str, journal: Journal) -> None:
        self.headers = Headers.of(scope)
        self.receive = receive
        self.base = base
        self.entry = journal.entry(scope["method"], scope["path"])
        self.entry.note(agent=self.headers.get(b"user-agent"), base=base)
        self.entry.note(address=client_address(scope))
        self.block = counted_block(scope)


Answer = tuple[int, Mapping[str, Any] | None]


class Endpoints:
    """The ASGI application behind these routes."""

    def __init__(
        self,
        clients: Clients,
        registrations: Registrations,
        grants: Grants,
        origins: Origins,
        journal: Journal,
    ) -> None:
        self._journal = journal
        self._clients = clients
        self._registrations = registrations
        self._grants = grants
        self._origins = origins
        self._posts: dict[tuple[str, ...], Callable[[Call], Awaitable[Answer]]] = {
            ("token",): self._token,
            ("oauth", "token"): self._token,
            ("register",): self._register,
            ("revoke",): self._revoke,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        base = self._origins.base_of(scope["scheme"], Headers.of(scope).get(b"host") or "")
        call = Call(scope, receive, base, self._journal)
        status, body, headers = 500, None, {**CORS, HEADER.lower().encode(): call.entry.id.encode()}
        try:
            status, body = await self._answer(call)
        except ClientGone:
            return
        except OAuthError as error:
            status, body = error.status, {"error": error.code, "error_description": str(error)}
            headers |= _headers_of(error)
        except StoreError as error:
            log.error("OAuth request %s failed: %s", call.entry.id, error)
            sentence = "The gateway's database does not answer; try again."
            status, body = 503, {"error": "server_error", "error_description": sentence}
            headers[b"retry-after"] = b"%d" % RETRY_AFTER_S
        finally:
            call.entry.note(error=None if body is None else body.get("error"))
            call.entry.write(status)
        if status == 405:
            headers[b"allow"] = b"GET, HEAD" if _is_well_known(call) else b"POST"
        encoded = b"" if body is None or scope["method"] == "HEAD" else json.dumps(body).encode()
        await send_body(send, status, encoded, headers=headers)

    async def _answer(self, call: Call) -> Answer:
        method = call.entry.method
        if method == "OPTIONS":
            return 204, None
        if _is_well_known(call):
            document = find_document(
                call.entry.path, call.base, describes_itself=self._clients.fetches_documents
            )
            if document is None:
                return 404, None
            return (200, document) if method in ("GET", "HEAD") else (405, None)
        if method != "POST":
            return 405, None
        segments = tuple(part for part in call.entry.path.split("/") if part)
        return await self._posts[segments](call)

    async def _token(self, call: Call) -> Answer:
        form = await read_form(call.receive)
        kind = form.get("grant_type", "")
        client_id, secret = read_credentials(call.headers, form)
        call.entry.note(grant_type=kind, client=client_id, resource=form.get("resource"))
        client = await self._clients.authenticate(client_id, secret)
        resource = _resource(form, call.base)
        match kind:
            case "authorization_code":
                issued = await self._grants.exchange(
                    client,
                    form.get("code", ""),
                    uri=form.get("redirect_uri", ""),
                    verifier=form.get("code_verifier", ""),
                    resource=resource,
                )
            case "refresh_token":
                scopes = read_scopes(form.get("scope", ""))
                issued = await self._grants.refresh(
                    client, form.get("refresh_token", ""), scopes=scopes, resource=resource
                )
            case _:
                sentence = "grant_type must be authorization_code or refresh_token."
                raise OAuthError("unsupported_grant_type", sentence)
        call.entry.note(grant=issued.grant_id)
        return 200, _tokens(issued)

    async def _register(self, call: Call) -> Answer:
        asked = await read_json(call.receive)
        answer = await self._registrations.register(asked, call.block)
        call.entry.note(client=answer["client_id"], name=answer["client_name"])
        return 201, answer

    async def _revoke(self, call: Call) -> Answer:
        form = await read_form(call.receive)
        client_id, secret = read_credentials(call.headers, form)
        call.entry.note(client=client_id)
        client = await self._clients.authenticate(client_id, secret)
        call.entry.note(grant=await self._grants.revoke(client, form.get("token", "")))
        return 200, {}


def _is_well_known(call: Call) -> bool:
    return call.entry.path.lstrip("/").startswith(f"{WELL_KNOWN}/")


def _resource(form: Form, base: str) -> str | None:
    named = form.get("resource")
    if not named:
        return None
    resource = read_resource(named, base)
    if resource is None:
        raise invalid_target()
    return resource


def _tokens(issued: Issued) -> dict[str, Any]:
    return {
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": ACCESS_LIFE_S,
        "refresh_token": issued.refresh,
        "scope": " ".join(sorted(issued.scopes)),
    }


def _headers_of(error: OAuthError) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    if error.status == 401:
        headers[b"www-authenticate"] = b'Basic realm="claude-runner"'
    if error.retry_after_s is not None:
        headers[b"retry-after"] = b"%d" % error.retry_after_s
    return headers
