"""Removes what of runs grows old: work folders, files of runs, costs of days."""

import logging
from collections.abc import Callable

import anyio

from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.work_folders import WorkFolders
from gateway.run_files.shelf import Shelf
from gateway.store import StoreError

log = logging.getLogger(__name__)

TIDY_EVERY_S = 3600.0
"""For what grows old by itself; everything else is tidied up when it happens."""


class Tidying:
    """Looks every hour, and whenever it is told that there is something."""

    def __init__(
        self,
        work_folders: WorkFolders,
        shelf: Shelf,
        days: DayBudgets,
        *,
        busy: Callable[[], set[str]],
        live: Callable[[], set[str]],
    ) -> None:
        """`busy` returns the names of work folders in use, `live` the ids of runs that go on."""
        self._work_folders = work_folders
        self._shelf = shelf
        self._days = days
        self._busy = busy
        self._live = live
        self._untidy = anyio.Event()

    def soon(self) -> None:
        """Something is to be removed now."""
        self._untidy.set()

    def forget_folder(self, owner: str) -> None:
        """Remove the work folder of a job or webhook that was deleted, soon."""
        self._work_folders.forget(owner)
        self.soon()

    async def forever(self) -> None:
        """Tidy up, again and again."""
        while True:
            self._untidy = anyio.Event()
            try:
                await self._work_folders.sweep(self._busy())
                await self._shelf.sweep(self._live())
                await self._days.forget_old()
            except StoreError as error:
                log.warning("What grew old is not looked for: %s", error)
            with anyio.move_on_after(TIDY_EVERY_S):
                await self._untidy.wait()
