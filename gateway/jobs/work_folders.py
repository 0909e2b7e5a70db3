"""Which work folders are kept, and removing the others.

A job or webhook keeps its folder until it is deleted. A run of neither has a folder of its own,
which is kept for a while: the newest ones, up to an age. So is a folder of whose owner the store
knows nothing, because it may be the wrong store. The owner of a folder is the record that its user
is taken, so a user is free again once the folder is gone.
"""

import logging
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from gateway.jobs.folders import PLAYGROUND, RUNS
from gateway.store import Store
from sandboxes.limits import tree

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
        self._forgotten: set[str] = set()

    def forget(self, owner: str) -> None:
        """Let the next sweep remove the folder of a job or webhook that was deleted."""
        self._forgotten.add(owner)

    async def sweep(self, busy: Collection[str]) -> None:
        """Remove what is not to be kept; `busy` are folders in use. Raises StoreError."""
        found = await to_thread.run_sync(_folders, self._home / PLAYGROUND)
        ended: dict[str, int] = {}
        for name, changed_at in found.items():
            if name not in busy and not await self._is_needed(name):
                run = await self._store.runs.get(name)
                ended[name] = (run and run.finished_at) or changed_at
        forgotten = self._forgotten & set(ended)
        kept_for_now = {name: at for name, at in ended.items() if name not in forgotten}
        going = [*forgotten, *expired(kept_for_now, self._retention, self._now_ms())]
        await to_thread.run_sync(self._remove, going)
        self._forgotten -= forgotten

    async def _is_needed(self, name: str) -> bool:
        """Return whether a folder is that of a job, a webhook or a live run, or none of ours."""
        if name.startswith("job_"):
            return await self._store.jobs.get(name) is not None
        if name.startswith("webhook_"):
            return await self._store.webhooks.get(name) is not None
        run = await self._store.runs.get(name) if name.startswith("run_") else None
        return not name.startswith("run_") or (run is not None and not run.status.final)

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


def _folders(playground: Path) -> dict[str, int]:
    """Return the name of every folder, and when something was last added to it."""
    try:
        with os.scandir(playground) as entries:
            return {
                each.name: each.stat(follow_symlinks=False).st_mtime_ns // 1_000_000
                for each in entries
                if each.is_dir(follow_symlinks=False)
            }
    except FileNotFoundError:
        return {}
