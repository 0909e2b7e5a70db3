"""What makes attempts, imported when it is first needed: the Agent SDK takes a second."""

import importlib
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from gateway.domain.run import Run
from gateway.late_imports import IMPORTING

if TYPE_CHECKING:
    # They import the SDK.
    from gateway.jobs.agent import Agent

    # As above.
    from gateway.jobs.standbys import Standbys


class LateAgent:
    """An `Agent` to be, with what waits in it for the next run."""

    def __init__(self, make: "Callable[[], Agent]") -> None:
        """`make` is called when all that it imports has been imported."""
        self._make = make
        self._agent: Agent | None = None
        self._loading = anyio.Lock()
        self._retired = False

    async def load(self) -> "Agent":
        """Return the agent, made now if this is the first time."""
        async with self._loading:
            if self._agent is None:
                await anyio.to_thread.run_sync(_import)
                self._agent = self._make()
        return self._agent

    @property
    def _standbys(self) -> "Standbys | None":
        return self._agent and self._agent.standbys

    @property
    def keeps_waiting(self) -> bool:
        """Tell whether CLIs are started ahead."""
        return self._standbys is not None and self._standbys.is_wanted and not self._retired

    def retire(self) -> None:
        """Start nothing ahead any more."""
        self._retired = True

    def work_folders(self) -> set[str]:
        """Return the names of work folders in use by a CLI that waits."""
        return self._standbys.work_folders() if self._standbys else set()

    def named(self, run: Run) -> Run:
        """Return a run that is to be stored, under the id for which a CLI waits if it may fit."""
        return self._standbys.named(run) if self._standbys else run

    def unnamed(self, run_id: str) -> None:
        """Let another run have the CLI of one that was `named` but not stored."""
        if self._standbys:
            self._standbys.unnamed(run_id)

    @contextmanager
    def storing(self, runs: Iterable[Run]) -> Generator[None]:
        """End, soon, the CLIs of runs that were `named`, when storing them fails or is given up."""
        with ExitStack() as failed:
            failed.callback(self._drop, runs)
            yield
            failed.pop_all()

    def _drop(self, runs: Iterable[Run]) -> None:
        if self._standbys:
            for run in runs:
                self._standbys.drop(run.id)

    def make_way(self, run: Run) -> None:
        """End, soon, what would be in the way of a run that begins."""
        if self._standbys:
            self._standbys.make_way(run)

    def forget(self, owner: str) -> None:
        """End, soon, what waits for a run of a job or webhook that was changed or deleted."""
        if self._standbys:
            self._standbys.forget(owner)

    async def end(self, run_id: str) -> None:
        """Return when nothing is left of what waits for a run that does not come."""
        if self._standbys:
            await self._standbys.end(run_id)

    def expect(self, run: Run, due_ms: int) -> None:
        """Have a CLI wait for this run, which will be stored when it is due."""
        if self._standbys and not self._retired:
            self._standbys.expect(run, due_ms)

    def follow(self, run: Run) -> None:
        """Have a CLI wait for a run like this one, which has succeeded."""
        if self._standbys and not self._retired:
            self._standbys.follow(run)


def _import() -> None:
    with IMPORTING:
        importlib.import_module("gateway.jobs.agent")
