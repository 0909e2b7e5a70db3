"""What both endpoints do with a request: read it, hand it on, and say what is refused on the way.

Source: MCP 2025-11-25 and 2026-07-28, basic/transports, Streamable HTTP.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable

import msgspec

from gateway.auth.caller import Caller
from gateway.domain.audit import Outcome
from gateway.relay.accepting import check_accept
from gateway.relay.ended import Report, ended, nobody
from gateway.relay.http import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    read_body,
    send_body,
    send_too_large,
)
from gateway.relay.patience import Patience
from gateway.relay.places import Places
from gateway.relay.refusal import Refusal, from_supervisor, modern_status
from gateway.relay.request import VERSION_HEADER, Posted, read_message
from supervisor.children.era import MODERN_VERSION
from supervisor.children.wire import error_message
from supervisor.errors import SupervisorError
from supervisor.spec import Era

ALL_SERVERS = ""
"""Stands where requests, sessions and streams of one server have its name."""


class Request(msgspec.Struct, frozen=True):
    """An HTTP request whose caller is known."""

    server: str
    caller: Caller
    headers: Headers
    receive: Receive
    send: Send
    patience: Patience
    report: Report = nobody
    """Told how each request ended."""
    places: Places | None = None
    """Gives each call a place in a trace; None: there are no traces."""


class McpEndpoint(ABC):
    """An address where MCP is spoken, in both eras."""

    def __init__(self, report: Report = nobody, places: Places | None = None) -> None:
        """`report` is told how each request ended; `places` has servers told of traces."""
        self._patience = Patience()
        self._report = report
        self._places = places

    @abstractmethod
    def ask(self, request: Request, posted: Posted) -> Awaitable[None]:
        """Answer a JSON-RPC request.

        Raises:
            SupervisorError, Refusal: it gets no answer of a server's, and why.
        """

    @abstractmethod
    def tell(self, request: Request, posted: Posted) -> None:
        """Take a notification or a response of a session. Raises Refusal."""

    @abstractmethod
    def listen(self, request: Request) -> Awaitable[None]:
        """Serve a session's stream until its reader is gone. Raises Refusal."""

    @abstractmethod
    def end(self, request: Request) -> Awaitable[None]:
        """End a session at its caller's wish. Raises Refusal."""

    async def handle(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        caller: Caller,
        server: str = ALL_SERVERS,
    ) -> None:
        """Answer one request."""
        request = Request(
            server,
            caller,
            Headers.of(scope),
            receive,
            send,
            self._patience,
            self._report,
            self._places,
        )
        try:
            check_accept(scope["method"], request.headers)
            if scope["method"] == "POST":
                await self._post(request)
            else:
                await self._attend(scope["method"], request)
        except Refusal as refusal:
            message = error_message(refusal.id, refusal.code, refusal.message, refusal.data)
            await send_body(send, refusal.status, message)
        except BodyTooLarge:
            await send_too_large(send)
        except ClientGone:
            return

    async def _post(self, request: Request) -> None:
        posted = read_message(await read_body(request.receive), request.headers)
        if posted.envelope.method is None or posted.envelope.id is None:
            if posted.era is Era.HANDSHAKE:
                self.tell(request, posted)
            await send_body(request.send, 202)
            return
        try:
            await self.ask(request, posted)
        except SupervisorError as error:
            await self._refuse(request, posted, from_supervisor(error))
        except Refusal as refusal:
            await self._refuse(request, posted, refusal)

    async def _refuse(self, request: Request, posted: Posted, refusal: Refusal) -> None:
        caller, headers = request.caller, request.headers
        self._report(ended(caller, headers, posted, request.server, Outcome.REFUSED))
        await refuse(request.send, posted, refusal)

    async def _attend(self, method: str, request: Request) -> None:
        """Do what belongs to a session; modern callers have none."""
        if method not in ("GET", "DELETE"):
            await send_body(request.send, 405, headers={b"allow": b"POST, GET, DELETE"})
        elif request.headers.get(VERSION_HEADER) == MODERN_VERSION:
            await send_body(request.send, 405, headers={b"allow": b"POST"})
        elif method == "GET":
            await self.listen(request)
        else:
            await self.end(request)


async def refuse(send: Send, posted: Posted, refusal: Refusal) -> None:
    """Answer a request with an error."""
    message = error_message(posted.id, refusal.code, refusal.message, refusal.data)
    status = refusal.status
    if status == 200 and posted.era is Era.MODERN:
        status = modern_status(refusal.code)
    await send_body(send, status, message)
