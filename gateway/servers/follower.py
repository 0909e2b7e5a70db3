"""Sees that every change of a dynamic server's folder becomes a version, whoever made it.

The supervisor's events say which server to look at; the folder itself says what is new.
"""

import logging
from collections.abc import Awaitable, Callable

import anyio

from gateway.servers.report import BROKEN
from gateway.store import StoreError
from supervisor.errors import SupervisorError
from supervisor.events import ChildReady, Event, Reloaded, ReloadRejected, StateChanged

log = logging.getLogger(__name__)


class Follower:
    """Hears events from the moment it is made; looks while `run` runs."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._woken = anyio.Event()

    def hear(self, event: Event) -> None:
        """Note that a server may be other than it was."""
        match event:
            case ReloadRejected():
                self._waiting[event.server] = event.reason
            case Reloaded() | ChildReady():
                self._waiting[event.server] = ""
            case StateChanged(after=after) if after in BROKEN:
                self._waiting.setdefault(event.server, "")
            case _:
                return
        self._woken.set()

    def wake(self, server: str) -> None:
        """Have a server looked at without an event."""
        self._waiting.setdefault(server, "")
        self._woken.set()

    async def run(self, look: Callable[[str, str], Awaitable[None]]) -> None:
        """Call `look` with the name of each server and why its code was rejected, if it was."""
        async with anyio.create_task_group() as group:
            while True:
                await self._woken.wait()
                self._woken = anyio.Event()
                waiting, self._waiting = self._waiting, {}
                for server, rejected in waiting.items():
                    # A server whose turn is taken, by a long build say, keeps no other waiting.
                    group.start_soon(_look, look, server, rejected)


async def _look(look: Callable[[str, str], Awaitable[None]], server: str, rejected: str) -> None:
    try:
        await look(server, rejected)
    except (StoreError, SupervisorError, OSError) as error:
        log.warning("The version of server %s could not be written down: %s", server, error)
