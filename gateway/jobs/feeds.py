"""Readers of runs: each is told everything behind its place, out of memory or out of the store."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager

import anyio

from gateway.domain.live import LiveEvent, Place, StatusIs
from gateway.domain.run import Run
from gateway.jobs.errors import RunNotFound, TooManyReaders
from gateway.jobs.feed import Feed, in_order
from gateway.store import Store

MAX_READERS = 100
"""In all; each holds a connection."""
READ_AT_ONCE = 20
"""Messages that are taken from the store at a time; one may have 256 K characters."""
PAUSE_S = 0.05
"""Between two looks of a reader: text comes in smaller pieces than anybody reads."""
ALIVE_S = 15.0
"""So often a reader hears something, or a proxy would take the connection for dead."""

Events = tuple[LiveEvent, ...]


class Feeds:
    """The feeds of the runs that are live or read."""

    def __init__(
        self, store: Store, settled: Callable[[str], str], *, max_readers: int = MAX_READERS
    ) -> None:
        self._store = store
        self._settled = settled
        self._feeds: dict[str, Feed] = {}
        self._max_readers = max_readers
        self._readers = 0

    @contextmanager
    def of(self, run_id: str) -> Generator[Feed]:
        """Give a run's feed, which stays while somebody uses it."""
        feed = self._feeds.setdefault(run_id, Feed(self._settled))
        feed.users += 1
        try:
            yield feed
        finally:
            feed.users -= 1
            if not feed.users:
                del self._feeds[run_id]

    def mark(self, run_id: str) -> None:
        """The row of a run is another one now."""
        if feed := self._feeds.get(run_id):
            feed.mark()

    def mark_all(self) -> None:
        """Rows may be other ones now, because somebody else writes them."""
        for feed in self._feeds.values():
            feed.mark()

    async def follow(self, run_id: str, place: Place) -> AsyncGenerator[Events]:
        """Yield what lies behind `place`, and what comes, until the run has ended.

        Nothing to tell for a while is an empty tuple. The status comes at once, with each change,
        and last. Raises RunNotFound, TooManyReaders, StoreError.
        """
        if self._readers >= self._max_readers:
            raise TooManyReaders(self._max_readers)
        self._readers += 1
        try:
            with self.of(run_id) as feed:
                async for events in self._follow(run_id, feed, place):
                    yield events
        finally:
            self._readers -= 1

    async def _follow(self, run_id: str, feed: Feed, place: Place) -> AsyncGenerator[Events]:
        turns, told = feed.turns, None
        run = feed.shown(await self._get(run_id))
        while True:
            changed = feed.changed
            if feed.turns != turns:
                turns = feed.turns
                run = feed.shown(await self._get(run_id))
            if run != told and not run.status.final:
                told = run
                yield (StatusIs(place, run),)
            if events := await self._behind(run_id, feed, place):
                place = events[-1].place
                yield events
                await anyio.sleep(PAUSE_S)
            elif run.status.final:
                yield (StatusIs(place, run),)
                return
            else:
                with anyio.move_on_after(ALIVE_S):
                    await changed.wait()
                if not changed.is_set():
                    turns = -1  # whoever deleted the run told nobody
                    yield ()

    async def _behind(self, run_id: str, feed: Feed, place: Place) -> Events:
        if (events := feed.after(place)) is not None:
            return events
        stored = await self._store.runs.messages(run_id, since=place.messages, limit=READ_AT_ONCE)
        return in_order(stored, place)

    async def _get(self, run_id: str) -> Run:
        run = await self._store.runs.get(run_id)
        if run is None:
            raise RunNotFound(run_id)
        return run
