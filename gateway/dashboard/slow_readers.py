"""Readers that stop to read are let go, so that they hold neither memory nor a place."""

import anyio
from hypercorn.typing import ASGISendCallable
from quart import Quart
from quart.asgi import ASGIHTTPConnection
from quart.wrappers import Request

SEND_S = 30.0
"""A browser that takes nothing for so long is gone or asleep; it comes back with its number."""


def drop_slow_readers(app: Quart, send_s: float = SEND_S) -> None:
    """Have an app end every response of which nothing is taken for `send_s`."""

    class Impatient(ASGIHTTPConnection):
        async def handle_request(self, request: Request, send: ASGISendCallable) -> None:
            async def in_time(message: object) -> None:
                with anyio.fail_after(send_s):  # Quart ends the response at a TimeoutError
                    await send(message)  # pyright: ignore[reportArgumentType] - passed on as it is

            await super().handle_request(request, in_time)

    app.asgi_http_class = Impatient
