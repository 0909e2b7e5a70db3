"""This gateway among those that share its database: it joins, renews its row, and leaves.

On SQLite it is the only one, for the lock of the home lets no other one in; there is nothing to
renew.
"""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from gateway.domain.clock import utc_ms
from gateway.domain.node import Newcomer, NodeState
from gateway.errors import CannotStart
from gateway.jobs.errors import RunFinished, RunNotFound
from gateway.jobs.runner import Runner
from gateway.nodes import times
from gateway.nodes.clock import SharedClock, running_s
from gateway.store import Store, StoreError

log = logging.getLogger(__name__)


class NameTaken(CannotStart):
    """Another node of this name lives."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"A node named {name!r} lives already on this database; set NODE_NAME to another name."
        )
        self.name = name


class Membership:
    """Joins when it is told to; `run` has to run for others to leave its runs alone."""

    def __init__(
        self,
        store: Store,
        comer: Newcomer,
        lease_file: Path,
        now_ms: Callable[[], int] = utc_ms,
    ) -> None:
        """`lease_file` says until when runs may go on. `now_ms`: the clock of this machine."""
        self._lease_file = lease_file
        self._store = store
        self._comer = comer
        self._runner: Runner | None = None
        self._lease_s = times.ALONE_LEASE_S
        self._renewed_s = 0.0
        self._has_lease = True
        self._forgot_s = 0.0
        self.clock = SharedClock(now_ms)

    @property
    def name(self) -> str:
        """The node's name."""
        return self._comer.name

    @property
    def lease_file(self) -> Path | None:
        """What ends the processes of runs where this process cannot; None: others do not matter."""
        return self._lease_file if self._store.nodes.shared else None

    async def join(self) -> None:
        """Be there from now on. Raises NameTaken, StoreError."""
        if not await self._join():
            raise NameTaken(self.name)
        if self._store.nodes.shared:
            asked_s = running_s()
            self.clock.put_right(await self._store.nodes.now_ms(), asked_s, running_s())
            self._warn_of_clock()

    async def leave(self) -> None:
        """Say that what is left here may be taken over now."""
        try:
            await self._store.nodes.leave(self.name, self._comer.identity)
        except StoreError as error:
            log.warning("Other nodes learn only after a while that this one has ended: %s", error)

    def carry(self, runner: Runner) -> None:
        """Take care of the runs of `runner` from now on."""
        self._runner = runner

    def take_state(self, state: NodeState) -> None:
        """Have the runner take runs, or none."""
        runner = self._carried()
        was, runner.resting = runner.resting, state is NodeState.DRAINING
        if was and not runner.resting:
            runner.wake()

    async def run(self) -> None:
        """Renew the row and look for what others left, until cancelled."""
        if not self._store.nodes.shared:
            return
        async with anyio.create_task_group() as group:
            # Apart: to take over a thousand runs may take longer than the lease.
            group.start_soon(self._each_beat, self.renew)
            group.start_soon(self._each_beat, self.look)
            group.start_soon(self._keep_lease)

    async def _join(self) -> bool:
        began_s = running_s()
        untouched_ms = times.untouched_ms(times.ALONE_LEASE_S)
        joined = await self._store.nodes.join(self._comer, lease_ms=untouched_ms)
        if joined is not None:
            self._renew(began_s, untouched_ms)
        return joined is not None

    async def _each_beat(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
            except StoreError as error:
                log.warning("Nodes do not hear of each other: %s", error)
            await anyio.sleep(times.BEAT_S)

    async def renew(self) -> None:
        """Renew the row once. Raises StoreError."""
        # First, for this process may have stood still, and others have what it had.
        await self._end_without_lease()
        began_s = running_s()
        beat = await self._store.nodes.beat(
            self.name,
            self._comer.identity,
            lease_ms=times.untouched_ms(times.LEASE_S),
            alone_lease_ms=times.untouched_ms(times.ALONE_LEASE_S),
        )
        if beat is None:
            await self._join_again()
            return
        self.clock.put_right(beat.at, began_s, running_s())
        self._renew(began_s, beat.lease_ms)
        self.take_state(beat.state)

    async def look(self) -> None:
        """Do what other nodes ask for, and take over what those left that are gone.

        Raises StoreError.
        """
        if self._is_over():
            return
        runner = self._carried()
        for run_id, reason in (await self._store.node_runs.asked_to_stop(self.name)).items():
            try:
                await runner.stop(run_id, reason)
            except (RunFinished, RunNotFound):
                log.info("Run %s ended before another node's wish came", run_id)
        await runner.shared.check_own()
        await runner.shared.take_over_lost()
        runner.look_again()
        if running_s() - self._forgot_s > times.FORGET_EVERY_S:
            self._forgot_s = running_s()
            await self._store.nodes.forget(round(times.FORGET_S * 1000))

    async def _join_again(self) -> None:
        """Come back after others have forgotten this node, or given its name away."""
        runner = self._carried()
        await runner.shared.give_up(f"Node {self.name} had been given up by the others.")
        if not await self._join():
            runner.resting = True
            log.error(
                "Another node is named %s: this one takes no runs; set NODE_NAME and restart it",
                self.name,
            )

    async def _keep_lease(self) -> None:
        while True:
            left_s = self._renewed_s + self._lease_s - running_s()
            if left_s <= 0:
                await self._end_without_lease()
            await anyio.sleep(left_s if left_s > 0 else times.BEAT_S)

    async def _end_without_lease(self) -> None:
        """End the runs' processes when the row has not been renewed for too long."""
        if not self._is_over() or not self._has_lease:
            return
        self._has_lease = False
        silent_s = running_s() - self._renewed_s
        log.error("The database has not heard of this node for %.0f s: its runs end", silent_s)
        await self._carried().shared.give_up(
            f"Node {self.name} lost the database for {silent_s:.0f} s."
        )

    def _is_over(self) -> bool:
        return running_s() - self._renewed_s > self._lease_s

    def _renew(self, began_s: float, untouched_ms: int) -> None:
        self._renewed_s = began_s
        self._lease_s = times.lease_s(untouched_ms)
        self._has_lease = True
        if self.lease_file is not None:
            try:
                _write_lease(self.lease_file, began_s + self._lease_s)
            except OSError as error:
                log.error("Runs will end, for %s cannot be written: %s", self.lease_file, error)

    def _warn_of_clock(self) -> None:
        off = self.clock.off_ms
        if abs(off) > times.CLOCK_OFF_MS:
            word = "behind" if off > 0 else "ahead of"
            log.warning(
                "This machine's clock is %.1f s %s the database's, which jobs go by; set it right",
                abs(off) / 1000,
                word,
            )

    def _carried(self) -> Runner:
        assert self._runner is not None, "it beats once there is a runner"
        return self._runner


def _write_lease(path: Path, until_s: float) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(f"{until_s:.3f}", "ascii")
    partial.replace(path)
