"""Starts children: by forks of a warm process where one is at hand, by programs else.

There is one warm process for servers with a network of their own or none, and one for those with
the machine's, which is started when it is first needed. For servers with packages of their own a
process waits that becomes their next child. Whatever fails on the way is told and ends in a cold
start. Above: `supervisor`. Below: `warm_source`, `standbys`.
"""

from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from sandboxes.launch import Launch
from sandboxes.policy import NetworkMode
from sandboxes.warm.parent import WarmConfig
from supervisor.children.spawned import ColdProcess, Spawned
from supervisor.events import Event, WentCold
from supervisor.metering.watch import Watch
from supervisor.starts.leftovers import PidFile
from supervisor.starts.standbys import Standbys
from supervisor.starts.warm_generation import NoFork
from supervisor.starts.warm_source import WarmSource

UNUSED_S = 600.0
"""Few servers have the machine's network; their warm process goes when none of them is left."""


class WarmPath:
    """Starts children while it is entered; no warm process is left behind."""

    def __init__(
        self,
        config: WarmConfig | None,
        *,
        emit: Callable[[Event], None],
        pids: PidFile,
        watch: Watch,
    ) -> None:
        """Without a `config` every start is cold, and nothing is said of it."""
        self._emit = emit
        self._group: TaskGroup | None = None
        self._sources: dict[NetworkMode, WarmSource] = {}
        self._standbys: Standbys | None = None
        if config is not None:
            fenced = WarmSource(config, emit=emit, pids=pids)
            full = replace(config, network=NetworkMode.FULL)
            self._sources = {
                NetworkMode.NONE: fenced,
                NetworkMode.HOSTS: fenced,
                NetworkMode.FULL: WarmSource(full, emit=emit, pids=pids, unused_s=UNUSED_S),
            }
            root = config.data_root.with_name("waiting")
            self._standbys = Standbys(root, config.rehearsal, emit=emit, pids=pids, watch=watch)

    async def __aenter__(self) -> Self:
        self._group = await anyio.create_task_group().__aenter__()
        for source in dict.fromkeys(self._sources.values()):
            self._group.start_soon(source.keep)
        if self._standbys is not None:
            self._standbys.begin(self._group)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._group is not None
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)

    async def spawn(self, server: str, launch: Launch) -> Spawned:
        """Start a child, warm when it may be and can be.

        Raises:
            OSError: its program does not exist or cannot be executed.
        """
        if launch.blank is not None and self._standbys is not None:
            return await self._standbys.spawn(server, launch, launch.blank)
        if launch.confinement is not None and self._sources:
            try:
                return await self._sources[launch.confinement.network].fork(launch)
            except NoFork as error:
                self._emit(WentCold(server, str(error)))
        return ColdProcess(launch)

    def gone(self, server: str, pid: int) -> None:
        """Be told that a child has ended."""
        if self._standbys is not None:
            self._standbys.gone(server, pid)

    def forget(self, server: str) -> None:
        """Keep nothing for the next start of a server: there will be none soon."""
        if self._standbys is not None:
            self._standbys.forget(server)
