"""Uvicorn's connections as we need them: bounded, never silent for long, written to in turns.

What Hypercorn refuses by itself and Uvicorn does not: heads without end, silence before the first
request, WebSockets. Parsing, pipelining and flow control are Uvicorn's own.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.gathering import Gathering

MAX_HEAD_BYTES = 16 * 1024
"""Of a request's line and headers that are not complete yet, as in Hypercorn."""
_REST = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large" + _REST
FORBIDDEN = b"HTTP/1.1 403 Forbidden" + _REST


class HttpProtocol(HttpToolsProtocol):
    """A connection whose heads are bounded and which may not be silent between requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as it is there
        """Expect a request within the keep-alive time."""
        super().connection_made(Gathering(transport))
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


class NoWebSocket(asyncio.Protocol):
    """Refuses the handshake of a WebSocket."""

    def __init__(self, **_: Any) -> None:
        """Take what Uvicorn gives every protocol, and need none of it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer at once; there is nothing to read."""
        writing = cast(asyncio.WriteTransport, transport)
        writing.write(FORBIDDEN)
        writing.close()
