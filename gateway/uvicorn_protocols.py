"""What Hypercorn refuses by itself and Uvicorn does not: heads without end, silence, WebSockets."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 16 * 1024
"""Of a request's line and headers that are not complete yet, as in Hypercorn."""
HEAD_BEGIN = b"HTTP/1.1 "
_REST = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large" + _REST
FORBIDDEN = b"HTTP/1.1 403 Forbidden" + _REST


class HttpProtocol(HttpToolsProtocol):
    """A connection whose heads are bounded and which may not be silent before its first request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as it is there
        """Expect a request within the keep-alive time."""
        super().connection_made(cast(asyncio.Transport, HeadKeeper(transport, self.loop)))
        self._unfinished = 0
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def data_received(self, data: bytes) -> None:
        """Take what came; close a connection whose head or trailer does not come to an end."""
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Count anew from the end of the head."""
        self._unfinished = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which the application bounds."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Count anew from the end of the request."""
        self._unfinished = 0
        super().on_message_complete()


class HeadKeeper:
    """A transport that sends a response's head together with what is written next.

    Uvicorn writes both apart, and a second packet costs as much as all the rest of a small answer.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.set_protocol = transport.set_protocol

    def write(self, data: bytes) -> None:
        """Send, at the latest at the end of this turn of the loop."""
        head, self._head = self._head, None
        if head is not None:
            self._transport.writelines((head, data))
        elif data.startswith(HEAD_BEGIN):
            self._head = data
            self._loop.call_soon(self._send_head)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close once everything is sent."""
        self._send_head()
        self._transport.close()

    def _send_head(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._transport.write(head)


class NoWebSocket(asyncio.Protocol):
    """Refuses the handshake of a WebSocket."""

    def __init__(self, **_: Any) -> None:
        """Take what Uvicorn gives every protocol, and need none of it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer at once; there is nothing to read."""
        writing = cast(asyncio.WriteTransport, transport)
        writing.write(FORBIDDEN)
        writing.close()
