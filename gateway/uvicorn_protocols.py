"""Uvicorn's connections as we need them: bounded, never silent for long, written to in turns.

What Hypercorn refuses by itself and Uvicorn does not: heads without end, silence before the first
request, WebSockets. Parsing, pipelining and flow control are Uvicorn's own.
"""

import asyncio
import re
from functools import lru_cache
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.answer_headers import plain_head
from gateway.gathering import Gathering
from gateway.http_patience import FIRST_REQUEST_S, NEXT_REQUEST_S
from gateway.known_heads import KnownHead, learn
from gateway.relay.begun import BEGUN, Begin, Begun
from gateway.relay.http import Scope

MAX_HEAD_BYTES = 16 * 1024
"""Of a request's line and headers that are not complete yet, as in Hypercorn."""
UNLIKE_HEADS = 32
"""So many heads, each of which is new, and a connection's are not remembered any more."""
KNOWN_URLS = 256
"""How many are remembered as they were read; callers choose them."""
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9_.~-]+)+")
_REST = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large" + _REST
FORBIDDEN = b"HTTP/1.1 403 Forbidden" + _REST


class HttpProtocol(HttpToolsProtocol):
    """A connection whose heads are bounded and which may not be silent between requests.

    A request that comes in one piece may be begun before it is made the application's: most are
    answered so, and then no task was made for them.
    """

    def __init__(
        self,
        *args: Any,
        ending: asyncio.Event | None = None,
        begin: Begin | None = None,
        **kwargs: Any,
    ) -> None:
        """Once `ending` is set, each answer is its connection's last.

        `begin` takes requests first; None: all are the application's.
        """
        super().__init__(*args, **kwargs)
        self._ending = ending or asyncio.Event()
        self._begin = begin
        self._held: bytes | None = None
        """The body of a request that may be begun, as far as it is here."""
        self._whole = False
        self._begun: Begun | None = None
        self._reading = False
        """True between the first byte of a request and its last."""
        self._heard_before = False
        self._known_head: KnownHead | None = None
        self._unlike = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as it is there
        """Expect a request within the keep-alive time."""
        super().connection_made(Gathering(transport))
        self._unfinished = 0
        self._silent_since: float | None = self.loop.time()
        """None while a request is read or answered."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a call that was begun learn of it as any other does."""
        self._go_on()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close the connection once its request is answered."""
        self._go_on()
        super().shutdown()

    def end_silence(self, now: float) -> None:
        """Close it when it was silent for too long; a timer of its own would cost each answer."""
        since = self._silent_since
        if since is not None and now - since >= self.timeout_keep_alive:
            self.timeout_keep_alive_handler()

    def may_be_asking(self) -> bool:
        """True while a request may be on its way that was sent before the end was known."""
        since = self._silent_since
        patience = NEXT_REQUEST_S if self._heard_before else FIRST_REQUEST_S
        return since is not None and self.loop.time() - since < patience

    def data_received(self, data: bytes) -> None:
        """Take what came; close a connection whose head or trailer does not come to an end."""
        if self._known_head is not None and self._is_repeated(self._known_head, data):
            return
        begins = not self._reading
        self._unfinished += len(data)
        super().data_received(data)
        if self._held is not None:
            if begins and self._whole and self._unlike < UNLIKE_HEADS:
                self._unlike += 1
                self._known_head = learn(data, self._held, cast(Scope, self.scope))
            self._start_held()
        if self._silent_since is not None:
            self._silent_since = self.loop.time()
        if self._unfinished > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def _is_repeated(self, head: KnownHead, data: bytes) -> bool:
        """Begin a request that differs in its body alone from one that was begun; False: is none.

        The parser, which is between two requests, does not learn of it.
        """
        if self._reading or self._begun is not None or not self._is_free():
            return False
        if self._ending.is_set():
            return False
        found = head.match(data)
        if found is None:
            return False
        digits, body = found
        self._unlike, self._silent_since = 0, None
        self.scope = cast(Any, head.scope_with(digits))
        self._held, self._whole = body, True
        self._start_held()
        return True

    def on_message_begin(self) -> None:
        """Read a request; one before it that is not answered yet goes on as the application's."""
        self._reading = self._heard_before = True
        if self._held is not None:
            self._start_held()
        self._go_on()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Count anew from the end of the head."""
        self._unfinished, self._silent_since = 0, None
        path = None if self._begin is None or self.expect_100_continue else _plain_path(self.url)
        if path is None or not self._is_simple():
            super().on_headers_complete()
        else:
            self.scope["method"], self.scope["path"] = "POST", path
            self.scope["raw_path"], self.scope["query_string"] = self.url, b""
            self._held, self._whole = b"", False

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which the application bounds."""
        self._unfinished = 0
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        """Count anew from the end of the request."""
        self._unfinished, self._reading = 0, False
        if self._held is None:
            super().on_message_complete()
        else:
            self._whole = True

    def on_response_complete(self) -> None:
        """Answer the next request that is there already, or expect one."""
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._silent_since = self.loop.time()

    def _is_simple(self) -> bool:
        """True for a POST that keeps its connection, when nothing before it is unanswered."""
        parser = cast(Any, self.parser)
        return (
            self._is_free()
            and not self._ending.is_set()
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        )

    def _is_free(self) -> bool:
        """True when the application has nothing more to answer.

        Not while answers are not read: the application's wait until there is room for them.
        """
        # It is None at times, which its type does not know.
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return (cycle is None or cycle.response_complete) and not self.flow.write_paused

    def _start_held(self) -> None:
        """Begin a request that is here as a whole, or make it the application's."""
        held, self._held = self._held, None
        assert held is not None
        assert self._begin is not None
        begun = self._begin(cast(Scope, self.scope), held) if self._whole else None
        if begun is None:
            self._hand_in(held)
        else:
            self._begun = begun
            begun.hear(self._heard)

    def _heard(self) -> None:
        begun = self._begun
        assert begun is not None
        answer = begun.answer()
        if answer is None:
            self._go_on()
            return
        self._begun = None
        status, body = answer
        self.transport.write(self._head(status, len(body)))
        self.transport.write(body)
        self.server_state.total_requests += 1
        self._silent_since = self.loop.time()

    def _head(self, status: int, length: int) -> bytes:
        further = b"".join(b"%b: %b\r\n" % field for field in self.server_state.default_headers)
        return plain_head(STATUS_LINE[status], further, length)

    def _go_on(self) -> None:
        """Have the application answer the call that was begun, if there is one."""
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.hear_no_more()
            cast(Scope, self.scope)[BEGUN] = begun
            self._hand_in(b"")

    def _hand_in(self, body: bytes) -> None:
        """Make the request the application's, with what is here of its body."""
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=self.on_response_complete,
        )
        self.cycle.body += body
        self.cycle.more_body = not self._whole
        self.cycle.message_event.set()
        self._start_asgi_task(self.cycle, cast(Any, self).app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Let a connection end with its answer when the server ends."""
        if self._ending.is_set():
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)


@lru_cache(maxsize=KNOWN_URLS)
def _plain_path(url: bytes) -> str | None:
    """Return the path of a request's target when that is all of it, in plain characters."""
    return url.decode("ascii") if _PLAIN.fullmatch(url) else None


class NoWebSocket(asyncio.Protocol):
    """Refuses the handshake of a WebSocket."""

    def __init__(self, **_: Any) -> None:
        """Take what Uvicorn gives every protocol, and need none of it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer at once; there is nothing to read."""
        writing = cast(asyncio.WriteTransport, transport)
        writing.write(FORBIDDEN)
        writing.close()
