"""Which work folders are kept, and removing the others.

A job or webhook keeps its folder as long as it exists. A run of neither has a folder of its own,
which is kept for a while: the newest ones, up to an age. The owner of a folder is the record that
its user is taken, so a user is free again once the folder is gone.
"""

import logging
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from gateway.jobs.folders import PLAYGROUND, RUNS
from gateway.store import Store
from sandboxes import tree

log = logging.getLogger(__name__)

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Retention:
    """How many folders of runs of no job are kept, and for how long."""

    folders: int = 100
    days: int = 7


class WorkFolders:
    """The folder `claude_playground` of a home."""

    def __init__(
        self, home: Path, store: Store, now_ms: Callable[[], int], retention: Retention
    ) -> None:
        self._home = home
        self._store = store
        self._now_ms = now_ms
        self._retention = retention

    async def sweep(self, busy: Collection[str]) -> None:
        """Remove what is not to be kept; `busy` are folders in use. Raises StoreError."""
        names = await to_thread.run_sync(_names, self._home / PLAYGROUND)
        ended: dict[str, int] = {}
        going: list[str] = []
        for name in names:
            if name in busy:
                continue
            if name.startswith("run_"):
                run = await self._store.runs.get(name)
                if run is None:
                    going.append(name)
                elif run.status.final:
                    ended[name] = run.finished_at or run.created_at
            elif await self._is_orphaned(name):
                going.append(name)
        going += expired(ended, self._retention, self._now_ms())
        await to_thread.run_sync(self._remove, going)

    async def _is_orphaned(self, name: str) -> bool:
        """Return whether a folder belongs to a job or webhook that is no more."""
        if name.startswith("job_"):
            return await self._store.jobs.get(name) is None
        return name.startswith("webhook_") and await self._store.webhooks.get(name) is None

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                # First what a killed gateway may have left of the same user's.
                tree.remove(self._home / RUNS / name)
                tree.remove(self._home / PLAYGROUND / name)
            except OSError as error:
                log.warning("The work folder of %s cannot be removed: %s", name, error)


def expired(ended: dict[str, int], retention: Retention, now_ms: int) -> list[str]:
    """Return the folders of ended runs that are not kept, given when each run ended."""
    newest_first = sorted(ended, key=lambda name: (-ended[name], name))
    oldest = now_ms - retention.days * DAY_MS
    return [
        name
        for number, name in enumerate(newest_first)
        if number >= retention.folders or ended[name] < oldest
    ]


def _names(playground: Path) -> list[str]:
    try:
        with os.scandir(playground) as entries:
            return sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
