"""Writes deliveries down, all that wait in one transaction: one owner, so that nothing is doubled.

A delivery is answered when its transaction is on the disk. What is waiting is bounded, and so is
how much of what was refused is written down.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import anyio

from gateway.domain.delivery import Arrival, Delivery, Outcome, Verdict
from gateway.jobs.runner import Runner
from gateway.store import Store, StoreError
from gateway.webhooks.limits import Buckets

log = logging.getLogger(__name__)

MAX_WAITING = 1000
"""Deliveries that wait to be written; a sender beyond comes again later."""
MAX_BATCH = 200
MAX_QUEUED_RUNS = 10_000
"""Runs of webhooks that wait for their turn; at three at a time, hours of work."""
REFUSALS_PER_MINUTE = 60
"""Lines in the log about what was refused, a webhook; a flood is not worth more."""
KEPT_LINES = 1000
KEPT_BODY_BYTES = 32 * 1024 * 1024
KEPT_FOR = timedelta(days=30)
PRUNE_EVERY_S = 600.0


class Overfull(Exception):
    """Too many deliveries wait to be written."""


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    settled: anyio.Event = field(default_factory=anyio.Event)
    verdict: Verdict | None = None
    error: StoreError | None = None


class Ledger:
    """Takes deliveries; `run` writes them."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        max_queued: int = MAX_QUEUED_RUNS,
    ) -> None:
        self._store = store
        self._runner = runner
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._max_queued = max_queued
        self._waiting: list[_Waiting] = []
        self._refused: list[Delivery] = []
        self._refusals = Buckets()
        self._work = anyio.Event()
        self._writing = False

    async def settle(self, arrival: Arrival) -> Verdict:
        """Return what became of a delivery once that is on the disk.

        Raises Overfull and StoreError, which leave nothing behind.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Overfull
        waiting = _Waiting(arrival)
        self._waiting.append(waiting)
        self._work.set()
        await waiting.settled.wait()
        if waiting.error is not None:
            raise waiting.error
        assert waiting.verdict is not None
        return waiting.verdict

    def note(self, refused: Delivery) -> None:
        """Have a refusal written down soon, unless there are too many."""
        late = self._refusals.take(refused.webhook_id, REFUSALS_PER_MINUTE, self._monotonic())
        if not late and len(self._refused) < MAX_WAITING:
            self._refused.append(refused)
            self._work.set()

    @property
    def idle(self) -> bool:
        """True when all that was given is on the disk."""
        return not (self._waiting or self._refused or self._writing)

    async def run(self) -> None:
        """Write until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._prune_forever)
            while True:
                await self._work.wait()
                self._work = anyio.Event()
                while self._waiting or self._refused:
                    self._writing = True
                    batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                    await self._write(batch)
                    self._writing = False

    async def _write(self, batch: list[_Waiting]) -> None:
        refused, self._refused = self._refused, []
        arrivals = [self._named(waiting.arrival) for waiting in batch]
        try:
            with self._runner.ahead.storing(arrival.run for arrival in arrivals):
                verdicts = await self._store.deliveries.settle(
                    arrivals, refused, now=self._now_ms(), max_queued=self._max_queued
                )
        except StoreError as error:
            for waiting in batch:
                waiting.error = error
        else:
            for waiting, arrival, verdict in zip(batch, arrivals, verdicts, strict=True):
                waiting.verdict = verdict
                if verdict.outcome is not Outcome.ACCEPTED:
                    self._runner.ahead.unnamed(arrival.run.id)
            self._runner.wake_if_free()
        for waiting in batch:
            waiting.settled.set()

    def _named(self, arrival: Arrival) -> Arrival:
        return replace(arrival, run=self._runner.ahead.named(arrival.run))

    async def _prune_forever(self) -> None:
        while True:
            now = self._now_ms()
            since = now - round(KEPT_FOR.total_seconds() * 1000)
            try:
                await self._store.deliveries.prune(
                    now, kept=KEPT_LINES, kept_bytes=KEPT_BODY_BYTES, kept_since=since
                )
            except StoreError as error:
                log.warning("Old deliveries are not removed: %s", error)
            await anyio.sleep(PRUNE_EVERY_S)
