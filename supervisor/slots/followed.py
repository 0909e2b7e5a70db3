"""Resources of one server that somebody wants to be told of, however many they are.

The child is asked once for each, and each of its successors again. Above: `slot`; the relay says
who follows what.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from supervisor.children.child import Child
from supervisor.errors import RequestRefused, SupervisorError

MAX_FOLLOWED = 1024
"""Of one server, so that a caller who makes up addresses fills no child's memory."""
LIMIT_REACHED = -32000


@dataclass(eq=False, slots=True)
class _Resource:
    followers: int = 0
    settled: anyio.Event = field(default_factory=anyio.Event)


class Followed:
    """Counts who follows which resource."""

    def __init__(self, server: str, child: Callable[[], Awaitable[Child]]) -> None:
        """`child` returns the one that takes calls, and starts it if need be."""
        self._server = server
        self._child = child
        self._resources: dict[str, _Resource] = {}
        self._current: Child | None = None

    async def add(self, uri: str) -> None:
        """Follow a resource; its updates are notifications of the server until as many drops.

        Raises:
            RequestRefused: the server does not tell of it, or there are too many.
            CallTimedOut, ChildDied, ServerUnavailable: it was not asked.
        """
        while (resource := self._resources.get(uri)) is not None:
            if resource.followers:
                resource.followers += 1
                return
            await resource.settled.wait()
        await self._ask(uri)

    def drop(self, uri: str) -> None:
        """Follow a resource no more."""
        resource = self._resources[uri]
        resource.followers -= 1
        if not resource.followers:
            del self._resources[uri]
            if self._current is not None and self._current.alive:
                self._current.following.drop_resource(uri)

    async def adopt(self, child: Child) -> None:
        """Ask a child that takes calls from now on for all that is followed."""
        self._current = child
        for uri in tuple(self._resources):
            try:
                await child.following.resource(uri)
            except SupervisorError:
                # New code may have other resources; whoever follows this one is told of nothing.
                continue

    async def _ask(self, uri: str) -> None:
        if len(self._resources) >= MAX_FOLLOWED:
            text = f"{MAX_FOLLOWED} resources are followed already; unsubscribe from one first."
            raise RequestRefused(self._server, LIMIT_REACHED, text)
        resource = self._resources[uri] = _Resource()
        try:
            child = self._current = await self._child()
            await child.following.resource(uri)
            resource.followers = 1
        finally:
            if not resource.followers:
                del self._resources[uri]
            resource.settled.set()
