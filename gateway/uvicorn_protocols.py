"""Uvicorn's connections as we need them: bounded, never silent for long, a packet for an answer.

What Hypercorn refuses by itself and Uvicorn does not: heads without end, silence before the first
request, WebSockets. Parsing, pipelining and flow control are Uvicorn's own.
"""

import asyncio
from collections.abc import Awaitable
from functools import lru_cache
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.relay.http import Message, Receive, Scope, Send

MAX_HEAD_BYTES = 16 * 1024
"""Of a request's line and headers that are not complete yet, as in Hypercorn."""
KNOWN_LINES = 256
"""Lines of heads that are remembered as they were checked; most answers have the same."""
JOINED_BYTES = 64 * 1024
"""A longer body is not copied to be one with its head: it takes many packets anyway."""
_REST = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large" + _REST
FORBIDDEN = b"HTTP/1.1 403 Forbidden" + _REST
_NOT_PLAIN = frozenset({b"connection", b"transfer-encoding"})


class HttpProtocol(HttpToolsProtocol):
    """A connection whose heads are bounded and which may not be silent between requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as it is there
        """Expect a request within the keep-alive time."""
        super().connection_made(transport)
        self._unfinished = 0
        self._silent_since: float | None = self.loop.time()
        """None while a request is read or answered."""

    def end_silence(self, now: float) -> None:
        """Close it when it was silent for too long; a timer of its own would cost each answer."""
        since = self._silent_since
        if since is not None and now - since >= self.timeout_keep_alive:
            self.timeout_keep_alive_handler()

    def data_received(self, data: bytes) -> None:
        """Take what came; close a connection whose head or trailer does not come to an end."""
        self._unfinished += len(data)
        super().data_received(data)
        if self._silent_since is not None:
            self._silent_since = self.loop.time()
        if self._unfinished > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Count anew from the end of the head."""
        self._unfinished, self._silent_since = 0, None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which the application bounds."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Count anew from the end of the request."""
        self._unfinished = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Answer the next request that is there already, or expect one."""
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._silent_since = self.loop.time()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, cast(Any, OnePacket(app, cycle)))


class OnePacket:
    """An application whose whole answers are sent with their heads, in one packet.

    Uvicorn writes both apart, and a second packet costs as much as all the rest of a small answer.
    """

    def __init__(self, app: Any, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._head: Message | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Have the application answer through `send` here."""
        return self._app(scope, receive, self.send)

    async def send(self, message: Message) -> None:
        """Send a part of the answer; a head whose body must follow waits for it."""
        cycle, head = self._cycle, self._head
        if head is None:
            if self._is_plain(message):
                self._head, cycle.response_started = message, True
                return
        else:
            self._head = None
            if not message.get("more_body", False):
                await self._send_whole(head, message.get("body", b""))
                return
            cycle.response_started = False
            await cycle.send(cast(Any, head))
        await cycle.send(cast(Any, message))

    def _is_plain(self, message: Message) -> bool:
        """True for a head whose body has a known length and leaves the connection as it is."""
        cycle = self._cycle
        if message["type"] != "http.response.start" or cycle.response_started:
            return False
        names = [name for name, _ in message["headers"]]
        return (
            b"content-length" in names
            and _NOT_PLAIN.isdisjoint(names)
            and cycle.keep_alive
            and cycle.scope["method"] != "HEAD"
        )

    async def _send_whole(self, head: Message, body: bytes) -> None:
        cycle = self._cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        headers = (*cycle.default_headers, *head["headers"])
        if dict(headers)[b"content-length"] != b"%d" % len(body):
            raise RuntimeError("The body has another length than its head says.")
        lines = [_line(name, value) for name, value in headers]
        if len(body) <= JOINED_BYTES:
            cycle.transport.write(b"".join((STATUS_LINE[head["status"]], *lines, b"\r\n", body)))
        else:
            head_bytes = b"".join((STATUS_LINE[head["status"]], *lines, b"\r\n"))
            cycle.transport.writelines((head_bytes, body))
        cycle.waiting_for_100_continue = False
        cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()


@lru_cache(maxsize=KNOWN_LINES)
def _line(name: bytes, value: bytes) -> bytes:
    """Return one line of a head. Raises RuntimeError for what would not stay one line."""
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError(f"{name!r} is no header of an answer, or its value is none.")
    return b"%s: %s\r\n" % (name, value)


class NoWebSocket(asyncio.Protocol):
    """Refuses the handshake of a WebSocket."""

    def __init__(self, **_: Any) -> None:
        """Take what Uvicorn gives every protocol, and need none of it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer at once; there is nothing to read."""
        writing = cast(asyncio.WriteTransport, transport)
        writing.write(FORBIDDEN)
        writing.close()
