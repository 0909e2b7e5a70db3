"""Where the files of runs are kept, and what keeps that within its bounds.

The bytes lie in ``run_files/<run>/<attempt>/<number>`` of the home. They are written before their
rows, so that a gateway that dies in between leaves a folder without rows; `sweep` removes it.
"""

import logging
import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio import to_thread

from gateway.domain.clock import utc_ms
from gateway.domain.run_file import LeftFiles, RunFile, RunFileSet
from gateway.run_files.copying import ATTEMPT_BYTES, Room, keep_changed
from gateway.store import Store, StoreError
from sandboxes.limits import tree
from sandboxes.policy import MIB

log = logging.getLogger(__name__)

FOLDER = "run_files"
DEFAULT_BYTES = 1024 * MIB
REMOVED = "Removed to make room for the files of newer runs."


class FileGone(Exception):
    """The bytes of a file cannot be read; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """When an attempt began, by the clock of the file system and by one that nobody sets."""

    file: Path
    """Made then."""
    monotonic_ns: int | None
    """None: the gateway that made it is gone."""


def mark_beginning(file: Path) -> Beginning:
    """Make a file whose time of change is the beginning of an attempt."""
    file.touch()
    return Beginning(file, time.monotonic_ns())


class Shelf:
    """The folder `run_files` of a home and its rows."""

    def __init__(
        self, home: Path, store: Store, hide: Callable[[str], str], *, bytes: int = DEFAULT_BYTES
    ) -> None:
        """`hide` takes secrets out of names. `bytes`: most that is kept of all runs."""
        self._folder = home / FOLDER
        self._store = store
        self._hide = hide
        self._bytes = bytes

    async def take(
        self, run_id: str, attempt: int, work: Path, beginning: Beginning
    ) -> LeftFiles | None:
        """Copy what an attempt left in its work folder; None when it never began.

        Its processes have ended. What cannot be copied at all is logged and not kept.
        """
        counts = RunFileSet(run_id, attempt, utc_ms())
        into = self._folder / run_id / str(attempt)
        return await to_thread.run_sync(self._take, counts, into, work, beginning)

    async def put(self, left: LeftFiles) -> None:
        """Store what an attempt left; a second time changes nothing. Raises StoreError."""
        # Room is made by `sweep`: the end of a run does not wait until a thousand old ones went.
        await self._store.run_files.add(left)

    async def try_put(self, left: LeftFiles) -> LeftFiles | None:
        """Store what an attempt left; return it when it has to be put again."""
        try:
            await self.put(left)
        except StoreError as error:
            log.warning("The files of run %s are not stored yet: %s", left.counts.run_id, error)
            return left
        return None

    async def has(self, run_id: str, attempt: int) -> bool:
        """Tell whether what an attempt left is stored. Raises StoreError."""
        return any(each.attempt == attempt for each in await self._store.run_files.sets(run_id))

    def open(self, file: RunFile) -> int:
        """Return a descriptor for the bytes of a file. Blocking. Raises FileGone."""
        if not file.kept:
            raise FileGone(file.reason)
        place = self._folder / file.run_id / str(file.attempt) / str(file.seq)
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise FileGone(f"The kept copy cannot be read: {error.strerror}.") from error
        if os.fstat(descriptor).st_size != file.size:
            os.close(descriptor)
            raise FileGone("The kept copy is damaged: it has another size than was kept.")
        return descriptor

    def check(self, file: RunFile) -> None:
        """Do nothing. Blocking. Raises FileGone when `open` would."""
        os.close(self.open(file))

    async def sweep(self, busy: Collection[str]) -> None:
        """Remove folders that no row leads to, then let the oldest files go until all fit.

        `busy` are runs that go on. Raises StoreError.
        """
        # Listed before the rows are read: what is stored meanwhile is not taken for a leftover.
        found = await to_thread.run_sync(self._attempts)
        kept = {
            (each.run_id, str(each.attempt)) for each in await self._store.run_files.kept_sets()
        }
        left = [each for each in found if each not in kept and each[0] not in busy]
        await to_thread.run_sync(self._remove, left)
        await self._make_room()

    async def _make_room(self) -> None:
        """Let the oldest sets go while there is more than may be."""
        table = self._store.run_files
        if (total := await table.kept_bytes()) <= self._bytes:
            return
        for oldest in await table.kept_sets():
            if total <= self._bytes:
                return
            await table.let_go(oldest, REMOVED)
            await to_thread.run_sync(self._remove, [(oldest.run_id, str(oldest.attempt))])
            total -= oldest.bytes

    def _take(
        self, counts: RunFileSet, into: Path, work: Path, beginning: Beginning
    ) -> LeftFiles | None:
        room = Room(bytes=min(ATTEMPT_BYTES, self._bytes))
        keep = partial(keep_changed, hide=self._hide, room=room)
        try:
            since_ns = _since_ns(beginning)
            # Of a gateway that died after this attempt had been copied and before it was stored.
            tree.remove(into)
            left = keep(work, since_ns, into, counts)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("The files of run %s are not kept: %s", counts.run_id, error)
            return None
        return left if left.files or left.counts.cut else None

    def _attempts(self) -> list[tuple[str, str]]:
        """Return the run and the attempt of every folder; no attempt where a folder is empty."""
        return [
            (run.name, attempt)
            for run in _folders(self._folder)
            for attempt in [each.name for each in _folders(run)] or [""]
        ]

    def _remove(self, attempts: list[tuple[str, str]]) -> None:
        for run, attempt in attempts:
            try:
                if attempt:
                    tree.remove(self._folder / run / attempt)
                with suppress(OSError):
                    # Another attempt of it is kept.
                    (self._folder / run).rmdir()
            except OSError as error:
                log.warning("Files of run %s cannot be removed: %s", run, error)


def _since_ns(beginning: Beginning) -> int:
    """Return from when on a change counts, also when the clock was set back meanwhile."""
    since = beginning.file.stat().st_ctime_ns
    if beginning.monotonic_ns is None:
        return since
    return min(since, time.time_ns() - (time.monotonic_ns() - beginning.monotonic_ns))


def _folders(folder: Path) -> list[Path]:
    try:
        return [each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()]
    except FileNotFoundError:
        return []
