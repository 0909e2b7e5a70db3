"""Takes entries without waiting for anything, and writes them down in batches.

What does not fit into the queue, and what cannot be made or stored, is counted, and that count is
an entry too.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import anyio
from msgspec.structs import replace

from gateway.domain.audit import Actor, AuditEntry, Outcome
from gateway.domain.clock import utc_ms
from gateway.store import StoreError
from gateway.store.audit import AuditTable
from supervisor.redaction import Redactor

log = logging.getLogger(__name__)

Make = Callable[[], AuditEntry]

MAX_WAITING = 20_000
"""Entries; a database that does not answer for some seconds loses none at usual rates."""
MAX_HELD_BYTES = 8 * 1024 * 1024
"""Of arguments that are still to be looked at; beyond it they are looked at at once."""
BATCH = 1000
"""Entries in one transaction, which costs as much as the rows of some hundred."""
MADE_AT_ONCE = 100
"""Entries; to make them takes the loop a millisecond, then others have their turn."""
GATHER_S = 0.5
"""An entry waits so long for others."""
RETRY_S = 5.0
LAST_FLUSH_S = 5.0
"""At the end of the gateway."""
STRANGERS_PER_MINUTE = 60
"""More are counted only: nobody from outside can wash the log out."""
PRUNE_AFTER = 5_000
"""Entries."""
PRUNE_EVERY_S = 3600.0
DAY_MS = 24 * 3600 * 1000
AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Keeping:
    """How much is kept."""

    entries: int
    """0: nothing is recorded."""
    days: int


class Trail:
    """The one place to which deeds are told."""

    def __init__(
        self, table: AuditTable, redactor: Redactor, keeping: Keeping, now_ms: Callable[[], int]
    ) -> None:
        self._table = table
        self._redactor = redactor
        self._keeping = keeping
        self._now_ms = now_ms
        self._waiting: list[Make] = []
        self._held = 0
        self._lost = 0
        self._filled = anyio.Event()
        self._writing = anyio.Lock()
        self._since_pruned = PRUNE_AFTER
        self._minute, self._strangers = 0, 0
        self._hear: Callable[[AuditEntry], None] | None = None

    def listen(self, hear: Callable[[AuditEntry], None]) -> None:
        """Have each entry told, also where none is kept, once it is made; it must not raise."""
        self._hear = hear

    def note(self, make: Make, held_bytes: int = 0) -> None:
        """Take an entry, which is made later; until then it holds on to `held_bytes`."""
        waiting = self._waiting
        if len(waiting) >= MAX_WAITING:
            self._lost += 1
            return
        if held_bytes:
            self._held += held_bytes
            if self._held > MAX_HELD_BYTES:
                self._held -= held_bytes
                made = self._made(make)
                if made is None:
                    return
                make = lambda: made  # noqa: E731 - what it stands for is made
        waiting.append(make)
        if len(waiting) == 1:
            self._filled.set()

    def stranger_did(self, entry: AuditEntry) -> None:
        """Take what somebody unknown tried; only so much of it in a minute."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._strangers = minute, 0
        self._strangers += 1
        if self._strangers > STRANGERS_PER_MINUTE:
            self._lost += 1
        else:
            self.note(lambda: entry)

    async def run(self) -> None:
        """Write down what comes until this is cancelled, and then what is left."""
        try:
            while True:
                # So that what is too old goes also while nothing happens.
                with anyio.move_on_after(PRUNE_EVERY_S):
                    await self._filled.wait()
                await anyio.sleep(GATHER_S)
                try:
                    await self.flush()
                    await self._prune()
                except StoreError as error:
                    log.warning("The audit log is not written down yet: %s", error)
                    await anyio.sleep(RETRY_S)
        finally:
            with anyio.move_on_after(LAST_FLUSH_S, shield=True):
                await self._last_flush()

    async def flush(self) -> None:
        """Write down all that waits. Raises StoreError; then it goes on waiting."""
        async with self._writing:
            while self._waiting:
                batch = self._waiting[:BATCH]
                entries = await self._made_in_turns(batch)
                if self._keeping.entries:
                    await self._add(entries)
                del self._waiting[: len(batch)]
                self._since_pruned += len(batch)
            self._held, self._filled = 0, anyio.Event()
            if self._lost and self._keeping.entries:
                lost = self._lost
                log.warning("%d entries of the audit log were lost", lost)
                await self._table.add([self._of_lost(lost)])
                self._lost -= lost

    async def _last_flush(self) -> None:
        try:
            await self.flush()
        except StoreError as error:
            log.error("%d entries of the audit log are lost: %s", len(self._waiting), error)

    async def _prune(self) -> None:
        """Remove what is too old or too much, now and then. Raises StoreError."""
        if self._since_pruned < PRUNE_AFTER:
            return
        self._since_pruned = 0
        keeping = self._keeping
        await self._table.prune(
            older_than=self._now_ms() - keeping.days * DAY_MS, keep=keeping.entries
        )

    async def _add(self, entries: list[AuditEntry]) -> None:
        """Store entries; one that no database takes is lost alone. Raises StoreError."""
        try:
            await self._table.add(entries)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - each is tried by itself, and what fails is logged there
            for entry in entries:
                await self._add_alone(entry)

    async def _add_alone(self, entry: AuditEntry) -> None:
        try:
            await self._table.add([entry])
        except StoreError:
            raise
        except Exception:
            self._lost += 1
            log.exception("An audit entry of %r cannot be stored", entry.action)

    async def _made_in_turns(self, makes: list[Make]) -> list[AuditEntry]:
        entries: list[AuditEntry] = []
        for start in range(0, len(makes), MADE_AT_ONCE):
            for make in makes[start : start + MADE_AT_ONCE]:
                made = self._made(make)
                if made is not None:
                    entries.append(made)
            await anyio.lowlevel.checkpoint()
        return entries

    def _made(self, make: Make) -> AuditEntry | None:
        """Return an entry, None for one that cannot be made: that is no reason to stop."""
        try:
            entry = self._finished(make())
            if self._hear is not None:
                self._hear(entry)
            return entry
        except Exception:
            self._lost += 1
            what: object = make.func if isinstance(make, partial) else make
            log.exception("An audit entry cannot be made: %s", getattr(what, "__qualname__", what))
            return None

    def _finished(self, entry: AuditEntry) -> AuditEntry:
        """Return an entry as it is kept; what holds a secret of what a caller wrote is left out.

        Servers, tools and who acted are names that the gateway knows.
        """
        if not entry.target and not entry.correlation:
            return entry
        together = f"{entry.target}\n{entry.correlation}"
        if self._redactor.hide_text(together) != together:
            return replace(entry, target="", correlation="")
        return entry

    def _of_lost(self, lost: int) -> AuditEntry:
        return AuditEntry(
            at=utc_ms(),
            actor=Actor.GATEWAY,
            action=AUDIT,
            arguments=f"{lost} entries",
            outcome=Outcome.LOST,
        )
