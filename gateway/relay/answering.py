"""What both endpoints do with a request: read it, hand it on, and say what is refused on the way.

Source: MCP 2025-11-25 and 2026-07-28, basic/transports, Streamable HTTP.
"""

from collections.abc import Awaitable, Callable

from gateway.relay.http import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Receive,
    Send,
    read_body,
    send_body,
    send_too_large,
)
from gateway.relay.refusal import Refusal, from_supervisor
from gateway.relay.request import Posted, read_message
from gateway.relay.visit import refuse
from supervisor.children.era import MODERN_VERSION
from supervisor.children.wire import error_message
from supervisor.errors import SupervisorError
from supervisor.spec import Era

Act = Callable[[], Awaitable[None]]


async def refusing(send: Send, answer: Awaitable[None]) -> None:
    """Await an answer; what is refused before anybody was asked is answered here."""
    try:
        await answer
    except Refusal as refusal:
        message = error_message(refusal.id, refusal.code, refusal.message, refusal.data)
        await send_body(send, refusal.status, message)
    except BodyTooLarge:
        await send_too_large(send)
    except ClientGone:
        return


async def by_method(
    method: str, headers: Headers, send: Send, *, post: Act, listen: Act, end: Act
) -> None:
    """Do what a request's HTTP method asks for; modern callers have no streams and sessions."""
    match method:
        case "POST":
            await post()
        case "GET" | "DELETE" if headers.get(b"mcp-protocol-version") == MODERN_VERSION:
            await send_body(send, 405, headers={b"allow": b"POST"})
        case "GET":
            await listen()
        case "DELETE":
            await end()
        case _:
            await send_body(send, 405, headers={b"allow": b"POST, GET, DELETE"})


async def take_posted(
    headers: Headers,
    receive: Receive,
    send: Send,
    *,
    tell: Callable[[Posted], None],
    ask: Callable[[Posted], Awaitable[None]],
) -> None:
    """Read what was posted: `ask` answers a request, `tell` takes what a session says besides."""
    posted = read_message(await read_body(receive), headers)
    if posted.envelope.method is None or posted.envelope.id is None:
        if posted.era is Era.HANDSHAKE:
            tell(posted)
        await send_body(send, 202)
        return
    try:
        await ask(posted)
    except SupervisorError as error:
        await refuse(send, posted, from_supervisor(error))
    except Refusal as refusal:
        await refuse(send, posted, refusal)
