"""Runs where several gateways share the store: what others left, and what is ours no more.

Nothing is taken from a gateway that lives: the store decides, by its clock, which ones do.
"""

import logging
from collections.abc import Callable, Mapping

import anyio

from gateway.domain.run import Run, RunStatus
from gateway.jobs.ending import Endings
from gateway.jobs.live import LiveRun
from gateway.jobs.outcome import Stop
from gateway.store import Store

log = logging.getLogger(__name__)

TAKEN = "Another node has taken the run over."
STRAND_S = 600.0
"""How long a conversation waits for its node after that is lost: a machine may restart."""


class SharedRuns:
    """Looks after them for the runner, whose live runs it is given."""

    def __init__(
        self,
        store: Store,
        node: str | None,
        endings: Endings,
        *,
        live: Mapping[str, LiveRun],
        claiming: anyio.Lock,
        announce: Callable[[str], None],
    ) -> None:
        """`node`: this gateway. `announce` is told of each run that was accounted for."""
        self._store = store
        self._node = node
        self._endings = endings
        self._live = live
        self._claiming = claiming
        self._announce = announce

    async def give_up(self, reason: str) -> None:
        """End the processes of every live run now: others may take the runs over."""
        stop = Stop(RunStatus.INTERRUPTED, reason)
        async with anyio.create_task_group() as group:
            for live in tuple(self._live.values()):
                group.start_soon(live.cut, stop)

    async def check_own(self) -> None:
        """End live runs that are not this node's any more, and account for those without a task.

        A run's end that could not be stored for long leaves one. Raises StoreError.
        """
        async with self._claiming:
            claimed = await self._store.node_runs.claimed_by(self._node)
            live = dict(self._live)
        own = {run.id for run in claimed}
        async with anyio.create_task_group() as group:
            for run_id, each in live.items():
                if run_id not in own and not each.over:
                    log.error("Run %s is another node's now and ends here", run_id)
                    group.start_soon(each.cut, Stop(RunStatus.INTERRUPTED, TAKEN))
        for run in claimed:
            if run.node == self._node and run.id not in live and await self._is_left(run):
                await self._endings.account_for(run)
                self._announce(run.id)

    async def _is_left(self, run: Run) -> bool:
        """Tell whether a run is still claimed by this attempt, of which no task knows."""
        async with self._claiming:
            now = await self._store.runs.get(run.id)
            if now is None or now.status is RunStatus.QUEUED or now.status.final:
                return False
            return now.attempt == run.attempt and run.id not in self._live

    async def take_over_lost(self) -> None:
        """Account for the runs of nodes that are gone. Raises StoreError."""
        for lost in await self._store.node_runs.lost():
            await self._endings.take_over(lost)
            self._announce(lost.run.id)
        for run in await self._store.node_runs.stranded(round(STRAND_S * 1000)):
            await self._endings.strand(run)
            self._announce(run.id)
