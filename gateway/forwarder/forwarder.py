"""Forwards a live run's requests to the Messages API under the real key, byte for byte.

An ASGI application. Bodies and keys are never logged.
"""

import ipaddress
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
import httpx2
import msgspec

from gateway.forwarder.account import Account, Accounts
from gateway.forwarder.answer import AnswerReader
from gateway.relay.http import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    read_body,
    send_body,
)
from gateway.secret import Secret
from gateway.store import StoreError

log = logging.getLogger(__name__)

DEFAULT_URL = "https://api.anthropic.com"
MESSAGES = "/v1/messages"
FORWARDED = frozenset({MESSAGES, f"{MESSAGES}/count_tokens"})
MAX_REQUEST_BYTES = 32 * 1024 * 1024
"""The API takes no more (its documentation, request size limits)."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Many times the longest answer; a stream that passes it is cut."""
CONNECT_S = 15.0
PASSING = frozenset({408, 429, 500, 502, 503, 504, 529})
"""Statuses by which the API says that a later request may succeed; 529 is overloaded."""
SILENCE_S = 600.0
"""An answer that is not streamed may take ten minutes; a stream sends a ping every few seconds."""
REQUEST_HEADERS = ("content-type", "accept", "user-agent", "x-app")
REQUEST_PREFIXES = ("anthropic-", "x-stainless-", "x-claude-")
NOT_PASSED_BACK = frozenset(
    {
        "connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding",
        "set-cookie", "trailer", "upgrade", "proxy-authenticate", "alt-svc", "date", "server",
    }
)  # fmt: skip
"""Headers that belong to one connection, or to the bytes before they were unpacked."""


class _Asked(msgspec.Struct):
    """The one field of a request that is looked at; the rest is skipped without being built."""

    model: str = ""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the Messages API is and the key to it."""

    key: Secret | None
    url: str = DEFAULT_URL


@asynccontextmanager
async def upstream_client(upstream: Upstream) -> AsyncGenerator[httpx2.AsyncClient]:
    """Give the HTTP client of the forwarder; a host's proxy is used for all but loopback."""
    timeout = httpx2.Timeout(SILENCE_S, connect=CONNECT_S)
    async with httpx2.AsyncClient(
        timeout=timeout, trust_env=not _is_loopback(upstream.url), follow_redirects=False
    ) as client:
        yield client


class Forwarder:
    """Answers to tokens of live runs only."""

    def __init__(self, client: httpx2.AsyncClient, upstream: Upstream, accounts: Accounts) -> None:
        self._client = client
        self._upstream = upstream
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = Headers(scope)
        account = self._accounts.find(_token(headers))
        if account is None:
            await _refuse(send, 401, "authentication_error", "This run's token is not valid.")
        elif scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            # The CLI asks whether somebody is there.
            await send_body(send, 200, b"" if scope["method"] == "HEAD" else b"{}")
        elif scope["method"] != "POST" or scope["path"] not in FORWARDED:
            await _refuse(send, 404, "not_found_error", "Runs reach the Messages API alone.")
        else:
            async with account.requests:
                await self._while_wanted(account, scope, receive, send)

    async def _while_wanted(
        self, account: Account, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            body = await read_body(receive, MAX_REQUEST_BYTES)
        except ClientGone:
            return
        except BodyTooLarge:
            await _refuse(send, 413, "request_too_large", "A request may have 32 MiB.")
            return
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_after_disconnect, receive, group.cancel_scope)
            group.start_soon(_cancel_after_end, account, group.cancel_scope)
            await account.admitted.wait()
            await self._answer(account, scope, body, send)
            group.cancel_scope.cancel()

    async def _answer(self, account: Account, scope: Scope, body: bytes, send: Send) -> None:
        try:
            model = msgspec.json.decode(body, type=_Asked).model
        except (msgspec.DecodeError, RecursionError):
            await _refuse(send, 400, "invalid_request_error", "The request is no JSON object.")
            return
        counted = scope["path"] == MESSAGES
        if counted and (objection := await _objection(account, model)):
            await _refuse(send, 400, "invalid_request_error", objection)
            return
        request = self._client.build_request(
            "POST", self._url(scope), content=body, headers=self._request_headers(scope)
        )
        try:
            answer = await self._client.send(request, stream=True)
        except httpx2.HTTPError as error:
            account.unreached = True
            kind = type(error).__name__
            await _refuse(send, 502, "api_error", f"The Messages API cannot be reached ({kind}).")
            return
        if counted:
            account.unreached = answer.status_code in PASSING
        try:
            await _pass_on(send, answer, account if counted else None)
        except httpx2.HTTPError:
            # The answer has begun; that it has no proper end tells the CLI.
            account.unreached = True
            return
        finally:
            with anyio.CancelScope(shield=True):
                await answer.aclose()

    def _url(self, scope: Scope) -> str:
        query = scope.get("query_string", b"").decode("latin-1")
        path = scope["path"] + (f"?{query}" if query else "")
        return self._upstream.url.rstrip("/") + path

    def _request_headers(self, scope: Scope) -> Mapping[str, str]:
        assert self._upstream.key is not None, "no run starts without a key"
        passed: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name = raw_name.decode("latin-1").lower()
            if name in REQUEST_HEADERS or name.startswith(REQUEST_PREFIXES):
                passed[name] = raw_value.decode("latin-1")
        # Plain, so that the usage in the answer can be read as it passes.
        return {**passed, "accept-encoding": "identity", "x-api-key": self._upstream.key.reveal()}


async def _pass_on(send: Send, answer: httpx2.Response, account: Account | None) -> None:
    """Send the answer's bytes on as they come; charge what it used, however it ends."""
    streamed = answer.headers.get("content-type", "").startswith("text/event-stream")
    reader = AnswerReader(streamed=streamed) if account and answer.is_success else None
    size = 0
    charged = False
    await send(
        {
            "type": "http.response.start",
            "status": answer.status_code,
            "headers": _headers_back(answer),
        }
    )
    try:
        async for chunk in answer.aiter_bytes():
            size += len(chunk)
            if reader is not None:
                reader.feed(chunk)
                if account is not None and reader.model and account.is_unaccountable(reader.model):
                    return
                if account is not None and reader.over and not charged:
                    # Before the CLI knows: its next request must meet what this one cost.
                    charged = True
                    await _charge(account, reader)
            if size > MAX_ANSWER_BYTES:
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if account is not None and reader is not None and not charged:
            charged = True
            await _charge(account, reader)
        await send({"type": "http.response.body", "body": b""})
    finally:
        if account is not None and reader is not None:
            account.unreached = account.unreached or reader.overloaded
            if not charged:
                await _charge(account, reader)


async def _objection(account: Account, model: str) -> str | None:
    try:
        return await account.objection(model)
    except StoreError as error:
        return f"The budgets of the day cannot be looked up: {error}"


async def _charge(account: Account, reader: AnswerReader) -> None:
    try:
        # Whoever waits for the answer may be gone; it was paid for all the same.
        with anyio.CancelScope(shield=True):
            usage = reader.usage()
            await account.charge(reader.model, usage, asks_for_tools=reader.asks_for_tools)
    except StoreError as error:
        # The run's own budget counts it in memory all the same, and its end writes the sum.
        log.error("What run %s cost just now is not written down: %s", account.run_id, error)


def _headers_back(answer: httpx2.Response) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower(), value)
        for name, value in answer.headers.raw
        if name.decode("latin-1").lower() not in NOT_PASSED_BACK
    ]


async def _cancel_after_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _cancel_after_end(account: Account, scope: anyio.CancelScope) -> None:
    await account.ended.wait()
    scope.cancel()


def _token(headers: Headers) -> str:
    key = headers.get(b"x-api-key")
    kind, _, bearer = (headers.get(b"authorization") or "").partition(" ")
    return key or (bearer.strip() if kind.lower() == "bearer" else "")


async def _refuse(send: Send, status: int, kind: str, sentence: str) -> None:
    error = {"type": "error", "error": {"type": kind, "message": sentence}}
    await send_body(send, status, json.dumps(error).encode())


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
