"""`GET /metrics`: what Prometheus reads, by a token that may read.

Source: Prometheus, text-based exposition format.
"""

from collections.abc import Awaitable, Callable

import anyio.to_thread

from gateway.relay.http import Send, send_body
from gateway.store import StoreError
from gateway.telemetry.opening import Page

Look = Callable[[], Awaitable[None]]
"""Looks at what is true now. Raises StoreError."""


class Scraping:
    """Answers whoever was admitted."""

    def __init__(self, page: Page, look: Look) -> None:
        self._page = page
        self._look = look

    async def __call__(self, send: Send) -> None:
        """Answer with everything as it is now."""
        try:
            await self._look()
        except StoreError as error:
            await send_body(send, 503, str(error).encode(), content_type=b"text/plain")
            return
        media_type, body = await anyio.to_thread.run_sync(self._page)
        await send_body(send, 200, body, content_type=media_type.encode())
