"""The environments of servers that declare packages: built once, shared, removed when unused.

One folder per recipe below `root`, named by its key. A build that was interrupted left no stamp
and is done again. Above: the supervisor. Below: `build`.
"""

import secrets
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from sandboxes.errors import SandboxError
from sandboxes.limits import tree
from sandboxes.packages import build
from sandboxes.packages.build import MAX_FILES, Built, Site, Tools
from sandboxes.packages.build_step import BuildFailed, Progress, excess, run_step
from sandboxes.packages.locking import lock_step, read_lock
from sandboxes.packages.recipe import Recipe, key_of

BUILD_S = 900.0
"""Large wheels over a slow line take minutes; a resolver that takes longer has lost its way."""
LOCK_S = 300.0
"""A resolver that looks at descriptions alone needs seconds."""
BUILDS_AT_ONCE = 2
CACHE = "cache"


@dataclass(eq=False, slots=True)
class _Build:
    """A build under way, and who waits for it."""

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    listeners: list[Progress] = field(default_factory=list[Progress])
    error: SandboxError | None = None
    finished: bool = False

    def say(self, text: str) -> None:
        """Tell everybody who waits."""
        for listener in tuple(self.listeners):
            listener(text)


class Environments:
    """Owner of the folder of environments; builds while it is entered."""

    def __init__(self, root: Path, tools: Tools) -> None:
        self._root = root
        self._tools = tools
        self._builds: dict[str, _Build] = {}
        self._built: dict[str, Built] = {}
        self._locks: set[str] = set()
        self._seats = anyio.Semaphore(BUILDS_AT_ONCE)
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._group = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._group is not None
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)

    def key(self, recipe: Recipe) -> str:
        """Return the name of a recipe's folder."""
        return key_of(recipe, self._tools.python)

    async def ensure(self, recipe: Recipe, progress: Progress) -> Path:
        """Return the environment of a recipe, building it unless it is there.

        Whoever asks while it is built waits for the same build; it is given up when nobody waits.

        Raises:
            BuildFailed, SandboxError: it could not be built; nothing is left of it.
        """
        key = self.key(recipe)
        site = self._site(key)
        while key in self._builds and self._builds[key].scope.cancel_called:
            await self._builds[key].done.wait()
        if key not in self._builds:
            if site.is_ready():
                await self._note(site)
                return site.files
            assert self._group is not None
            self._builds[key] = _Build()
            self._group.start_soon(self._carry_out, key, recipe, name=f"environment {key}")
        running = self._builds[key]
        running.listeners.append(progress)
        try:
            await running.done.wait()
        finally:
            running.listeners.remove(progress)
            if not running.listeners:
                running.scope.cancel()
        if running.error is not None:
            raise running.error
        if not running.finished:
            raise BuildFailed("the gateway is being stopped", (), lasting=False)
        return site.files

    async def lock(self, recipe: Recipe, progress: Progress) -> Recipe:
        """Return the recipe of just the packages that this one means today, with their digests.

        Raises:
            BuildFailed, SandboxError: they cannot be found; nothing is left of the search.
        """
        site = self._site(f"lock-{secrets.token_hex(6)}")
        self._locks.add(site.folder.name)
        try:
            async with self._seats:
                await to_thread.run_sync(build.lay_out, recipe, site, self._tools)
                with anyio.fail_after(LOCK_S):
                    step = lock_step(recipe, site, self._tools)
                    await run_step(step, recipe, site, self._tools, progress)
                return await to_thread.run_sync(read_lock, recipe, site)
        except TimeoutError:
            raise BuildFailed(f"it took longer than {LOCK_S:g} s", (), lasting=False) from None
        except (OSError, ValueError, KeyError) as error:
            reason = f"the list of its packages cannot be read ({error})"
            raise BuildFailed(reason, (), lasting=False) from error
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(partial(shutil.rmtree, site.folder, ignore_errors=True))
            self._locks.discard(site.folder.name)

    def built(self, recipe: Recipe) -> Built | None:
        """Return what is known of the environment of a recipe; None before somebody needed it."""
        return self._built.get(self.key(recipe))

    async def _note(self, site: Site) -> None:
        if site.folder.name not in self._built:
            self._built[site.folder.name] = await to_thread.run_sync(build.read_stamp, site)

    async def collect(self, used: Iterable[Recipe]) -> tuple[str, ...]:
        """Remove the environments that none of these recipes names; return their keys."""
        kept = {self.key(recipe) for recipe in used} | set(self._builds) | self._locks
        folders = sorted(self._root.iterdir()) if self._root.is_dir() else []
        unused = [f for f in folders if f.name not in kept and f.name != CACHE and f.is_dir()]
        # All are renamed in one turn of the loop, so that nobody is given half of a folder.
        going = [f.rename(f.with_name(f".{f.name.lstrip('.')}")) for f in unused]
        for folder in unused:
            self._built.pop(folder.name, None)
        for folder in going:
            await to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))
        return tuple(folder.name for folder in unused if not folder.name.startswith("."))

    async def _carry_out(self, key: str, recipe: Recipe) -> None:
        running = self._builds[key]
        site = self._site(key)
        try:
            with running.scope:
                if self._seats.value == 0:
                    running.say("waiting for another build")
                async with self._seats:
                    await self._build(recipe, site, running.say)
                running.finished = True
        except (SandboxError, OSError) as error:
            running.error = _told(error)
        finally:
            with anyio.CancelScope(shield=True):
                if not running.finished:
                    await to_thread.run_sync(
                        partial(shutil.rmtree, site.folder, ignore_errors=True)
                    )
                await self._trim(site.cache)
            del self._builds[key]
            running.done.set()

    async def _build(self, recipe: Recipe, site: Site, say: Progress) -> None:
        await to_thread.run_sync(build.lay_out, recipe, site, self._tools)
        try:
            with anyio.fail_after(BUILD_S):
                for step in build.steps(recipe, site, self._tools):
                    say(step.label)
                    await run_step(step, recipe, site, self._tools, say)
        except TimeoutError:
            raise BuildFailed(f"it took longer than {BUILD_S:g} s", (), lasting=False) from None
        over = await to_thread.run_sync(excess, site, self._tools.max_bytes)
        if over is not None:
            raise BuildFailed(over, (), lasting=True)
        await to_thread.run_sync(build.write_stamp, recipe, site, time.time_ns() // 1_000_000)
        self._built.pop(site.folder.name, None)
        await self._note(site)

    async def _trim(self, cache: Path) -> None:
        """Empty a download cache that is larger than an environment may be, if nobody uses it."""
        held = await to_thread.run_sync(partial(tree.measure, (cache,), max_entries=MAX_FILES))
        if len(self._builds) == 1 and not self._locks and held.bytes > self._tools.max_bytes:
            await to_thread.run_sync(partial(shutil.rmtree, cache, ignore_errors=True))

    def _site(self, key: str) -> Site:
        return Site(self._root / key, self._root / CACHE)


def _told(error: SandboxError | OSError) -> SandboxError:
    if isinstance(error, SandboxError):
        return error
    return BuildFailed(f"its folder cannot be written ({error.strerror})", (), lasting=False)
