"""What is kept of runs, notices and ended tokens, and for how long; docs/retention.md has it all.

Above: `serving`, which lets it run.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import anyio

from gateway.settings import Settings
from gateway.store import Store, StoreError

log = logging.getLogger(__name__)

SKIPPED = 5_000
"""Rows of due times that did not run; a job that is due each minute and never runs makes 1,440 a
day, and they must not crowd out what ran."""
NOTICES = 5_000
NOTICES_FOR = timedelta(days=30)
TOKENS_FOR = timedelta(days=90)
"""The list still shows a token that has ended, for whoever wonders where it went."""
SPARED_FOR = timedelta(days=2)
"""A clock that is set back by a day or less finds the rows of each due time; the scheduler needs
them, so that nothing runs twice."""
RUNS_AT_ONCE = 20
"""Runs in one transaction: a transcript may have a thousand messages."""
ROWS_AT_ONCE = 200
PAUSE_S = 0.02
"""Between batches, so that others get the only writer."""
EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """How much is kept of runs."""

    runs: int
    days: int


class Retention:
    """Removes what is not kept, once an hour."""

    def __init__(self, store: Store, keeping: Keeping, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._keeping = keeping
        self._now_ms = now_ms

    async def run(self) -> None:
        """Remove until cancelled."""
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                log.warning("What is too old is not removed yet: %s", error)
            await anyio.sleep(EVERY_S)

    async def sweep(self) -> None:
        """Remove everything that is not kept now. Raises StoreError."""
        table, keeping, spared = self._store.retention, self._keeping, self._before(SPARED_FOR)
        since = self._before(timedelta(days=keeping.days))
        runs = partial(table.remove_runs, older_than=since, keep=keeping.runs, spare_since=spared)
        skipped = partial(table.remove_skipped, older_than=since, keep=SKIPPED, spare_since=spared)
        notices = partial(table.remove_notices, older_than=self._before(NOTICES_FOR), keep=NOTICES)
        tokens = partial(table.remove_tokens, ended_before=self._before(TOKENS_FOR))
        if gone := await _in_batches(runs, RUNS_AT_ONCE):
            log.info("Removed %d runs that are no longer kept", gone)
        for remove in (skipped, notices, tokens):
            await _in_batches(remove, ROWS_AT_ONCE)

    def _before(self, age: timedelta) -> int:
        return self._now_ms() - int(age.total_seconds() * 1000)


def open_retention(settings: Settings, store: Store, now_ms: Callable[[], int]) -> Retention:
    """Return what removes; `Retention.run` has to run for it."""
    return Retention(store, Keeping(settings.runs_kept, settings.runs_days), now_ms)


async def _in_batches(remove: Callable[..., Awaitable[int]], batch: int) -> int:
    """Call `remove` until it finds less than a batch; return how many rows went."""
    gone = 0
    while True:
        found = await remove(batch=batch)
        gone += found
        if found < batch:
            return gone
        await anyio.sleep(PAUSE_S)
