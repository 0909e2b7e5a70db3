"""A server's way out: the proxies of its children, and what they were refused.

Above: `slot`, which serves each child with granted hosts as long as it lives. Below:
`sandboxes.network.egress`.
"""

from collections.abc import Callable

import anyio

from sandboxes.network.egress import Proxy, serve_handed_over
from sandboxes.network.outside import Outside
from sandboxes.network.proxy_request import Refusal
from sandboxes.network.traffic import Traffic
from supervisor.children.process import ChildProcess
from supervisor.events import Event, HostRefused


class Outlet:
    """What the children of one server reach, asked for in vain, and sent."""

    def __init__(self, server: str, outside: Outside, emit: Callable[[Event], None]) -> None:
        self.traffic = Traffic()
        self._server = server
        self._outside = outside
        self._emit = emit

    async def serve(self, process: ChildProcess) -> None:
        """Serve a child's proxy until the child is gone; a child without one has no way out."""
        way_out = process.way_out
        if way_out is None:
            return
        proxy = Proxy(way_out.egress, self._outside, on_refused=self._note, traffic=self.traffic)
        async with anyio.create_task_group() as group:
            group.start_soon(serve_handed_over, way_out, proxy)
            await process.wait()
            group.cancel_scope.cancel()

    def _note(self, refusal: Refusal) -> None:
        self._emit(HostRefused(self._server, refusal.asked, str(refusal)))
