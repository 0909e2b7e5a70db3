"""Streams of server-sent events that stay open: written from a queue until their reader is gone."""

import asyncio

from gateway.relay.exchange import KEEP_ALIVE_S
from gateway.relay.http import Receive, Send, end_stream, send_comment, send_event


async def pump(
    queue: "asyncio.Queue[bytes | None]", gone: "asyncio.Future[None]", send: Send
) -> None:
    """Write what is posted to a stream until it ends or its reader is gone."""
    while True:
        waiting = asyncio.ensure_future(queue.get())
        try:
            await asyncio.wait(
                (waiting, gone), timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            if not waiting.done():
                waiting.cancel()
        if gone.done():
            return
        if not waiting.done():
            await send_comment(send)
        elif (message := waiting.result()) is None:
            await end_stream(send)
            return
        else:
            await send_event(send, message)


async def until_gone(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
