"""Removes the environments that no server and no child uses any more."""

import asyncio
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

from sandboxes.packages.environments import Environments
from sandboxes.packages.recipe import Recipe
from supervisor.children.child import Child
from supervisor.events import EnvironmentRemoved, Event
from supervisor.spec import ServerSpec


class Upkeep:
    """Knows who uses which environment, and tidies up while `run` runs."""

    def __init__(
        self,
        environments: Environments,
        emit: Callable[[Event], None],
        servers: Callable[[], Iterable[ServerSpec]],
    ) -> None:
        self._environments = environments
        self._emit = emit
        self._servers = servers
        self._children: set[Child] = set()
        self._held: list[Recipe] = []
        # Of asyncio, because it is set where a process's end is told, outside of any task.
        self._due = asyncio.Event()

    async def run(self) -> None:
        """Tidy up whenever something has let go of its environment."""
        while True:
            await self._due.wait()
            self._due.clear()
            await self.tidy()

    async def tidy(self) -> None:
        """Remove the environments that nobody uses."""
        specs = [*self._servers(), *(child.spec for child in self._children)]
        used = [spec.recipe for spec in specs if spec.recipe is not None]
        for key in await self._environments.collect([*used, *self._held]):
            self._emit(EnvironmentRemoved(key))

    def add(self, child: Child) -> None:
        """Keep a child's environment until it is gone, also when newer code has taken over."""
        self._children.add(child)

    def remove(self, child: Child) -> None:
        """Let go of the environment of a child that has ended."""
        self._children.discard(child)
        if child.spec.recipe is not None:
            self._due.set()

    @contextmanager
    def holding(self, recipe: Recipe | None) -> Generator[None]:
        """Keep the environment of what is about to come, or fails to."""
        held = [] if recipe is None else [recipe]
        self._held += held
        try:
            yield
        finally:
            for each in held:
                self._held.remove(each)
            self._due.set()
