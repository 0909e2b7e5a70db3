"""``/connector-probe/<key>``: tells the doctor what arrives here of what it sent.

A key exists only while a doctor walks, so for everybody else there is nothing here.
"""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from gateway.reach.address import client_address
from gateway.reach.proxies import PROXY
from gateway.relay.http import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    end_stream,
    read_body,
    send_body,
    send_event,
    start_stream,
)
from supervisor.children.wire import encode

PATH = "/connector-probe"
BUFFERED_AFTER_S = 3.0
"""An event that has not arrived by then is held back on the way."""
MAX_BODY_BYTES = 4 * 1024 * 1024
FORWARDED = (b"x-forwarded-for", b"forwarded")


@dataclass(slots=True)
class Visit:
    """A doctor on its way."""

    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    heard: anyio.Event = field(default_factory=anyio.Event)
    """Set by the doctor when it has read the first event of the stream."""


class Probe:
    """The ASGI application behind the path."""

    def __init__(self) -> None:
        self._visits: dict[str, Visit] = {}

    @contextmanager
    def visit(self) -> Generator[Visit]:
        """Answer to a fresh key while the body runs."""
        visit = Visit()
        self._visits[visit.key] = visit
        try:
            yield visit
        finally:
            del self._visits[visit.key]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = self._visits.get(scope["path"].removeprefix(f"{PATH}/"))
        if visit is None:
            await send_body(send, 404)
        elif scope["method"] == "POST":
            await self._tell(scope, receive, send)
        else:
            await self._stream(visit, send)

    async def _tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers.of(scope)
        try:
            body = await read_body(receive, MAX_BODY_BYTES)
        except BodyTooLarge:
            await send_body(send, 413)
        except ClientGone:
            return
        else:
            seen = {
                "host": headers.get(b"host"),
                "scheme": scope["scheme"],
                "authorization": headers.get(b"authorization") is not None,
                "client": client_address(scope),
                "forwarded": any(headers.get(name) for name in FORWARDED),
                "believed": PROXY in scope,
                "bytes": len(body),
            }
            await send_body(send, 200, encode(seen))

    async def _stream(self, visit: Visit, send: Send) -> None:
        """Send one event, and another when the first was read or is overdue."""
        await start_stream(send)
        await send_event(send, b"1")
        with anyio.move_on_after(BUFFERED_AFTER_S):
            await visit.heard.wait()
        await send_event(send, b"2")
        await end_stream(send)
