"""The environments of servers that declare packages: built once, shared, removed when unused.

One folder per recipe below `root`, named by its key. A build that was interrupted left no stamp
and is done again. Above: the supervisor. Below: `build`.
"""

import os
import shutil
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from signal import SIGKILL
from subprocess import DEVNULL, STDOUT
from types import TracebackType
from typing import Self

import anyio
from anyio import to_thread
from anyio.abc import Process, TaskGroup
from anyio.streams.text import TextReceiveStream

from sandboxes import build
from sandboxes.build import Site, Step, Tools
from sandboxes.errors import SandboxError
from sandboxes.recipe import PythonRecipe, Recipe, key_of

BUILD_S = 900.0
"""Large wheels over a slow line take minutes; a resolver that takes longer has lost its way."""
BUILDS_AT_ONCE = 2
CACHE = "cache"
TAIL_LINES = 30
MAX_LINE = 500
MAX_BYTES = 4 * 1024**3
"""An environment that is larger is refused, and a download cache that is larger is emptied."""
NO_SOLUTION = 1
"""uv's exit code for requirements that cannot be met; others are faults of network or disk."""

Progress = Callable[[str], None]
"""Called with each line that says how far a build is."""


class BuildFailed(SandboxError):
    """An environment could not be built."""

    def __init__(self, reason: str, tail: tuple[str, ...], *, lasting: bool) -> None:
        super().__init__(reason)
        self.tail = tail
        self.lasting = lasting
        """True: the same declaration will fail again."""


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

    async def collect(self, used: Iterable[Recipe]) -> tuple[str, ...]:
        """Remove the environments that none of these recipes names; return their keys."""
        kept = {self.key(recipe) for recipe in used} | set(self._builds)
        folders = sorted(self._root.iterdir()) if self._root.is_dir() else []
        unused = [f for f in folders if f.name not in kept and f.name != CACHE and f.is_dir()]
        # All are renamed in one turn of the loop, so that nobody is given half of a folder.
        going = [f.rename(f.with_name(f".{f.name.lstrip('.')}")) for f in unused]
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
            del self._builds[key]
            running.done.set()

    async def _build(self, recipe: Recipe, site: Site, say: Progress) -> None:
        await to_thread.run_sync(build.lay_out, recipe, site, self._tools)
        try:
            with anyio.fail_after(BUILD_S):
                for step in build.steps(recipe, site, self._tools):
                    say(step.label)
                    await self._run(step, recipe, site, say)
        except TimeoutError:
            raise BuildFailed(f"it took longer than {BUILD_S:g} s", (), lasting=False) from None
        size = await to_thread.run_sync(_bytes_below, site.files)
        if size > MAX_BYTES:
            text = f"it has {size / 1024**3:.1f} GiB; at most {MAX_BYTES / 1024**3:.0f} are allowed"
            raise BuildFailed(text, (), lasting=True)
        await to_thread.run_sync(build.write_stamp, recipe, site)
        if await to_thread.run_sync(_bytes_below, site.cache) > MAX_BYTES and not self._others():
            await to_thread.run_sync(partial(shutil.rmtree, site.cache, ignore_errors=True))

    def _others(self) -> bool:
        return len(self._builds) > 1

    async def _run(self, step: Step, recipe: Recipe, site: Site, say: Progress) -> None:
        ready = await to_thread.run_sync(build.launch, step, recipe, site, self._tools)
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        async with _started(ready.argv, dict(ready.env), ready.cwd) as process:
            async for line in _lines(process):
                tail.append(line)
                say(line)
            code = await process.wait()
        if code != 0:
            lasting = isinstance(recipe, PythonRecipe) and code == NO_SOLUTION
            raise BuildFailed(_gist(tuple(tail), step, code), tuple(tail), lasting=lasting)

    def _site(self, key: str) -> Site:
        return Site(self._root / key, self._root / CACHE)


@asynccontextmanager
async def _started(
    argv: tuple[str, ...], env: dict[str, str], cwd: Path
) -> AsyncGenerator[Process]:
    """Start a program in a session of its own and leave nothing of it behind."""
    process = await anyio.open_process(
        argv, stdin=DEVNULL, stderr=STDOUT, env=env, cwd=cwd, start_new_session=True
    )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                os.killpg(process.pid, SIGKILL)
            await process.aclose()


async def _lines(process: Process) -> AsyncGenerator[str]:
    assert process.stdout is not None
    rest = ""
    async for text in TextReceiveStream(process.stdout, errors="replace"):
        *lines, rest = (rest + text).split("\n")
        rest = rest[-MAX_LINE:]
        for line in lines:
            if line.strip():
                yield line.strip()[:MAX_LINE]
    if rest.strip():
        yield rest.strip()


def _gist(tail: tuple[str, ...], step: Step, code: int) -> str:
    """Return what a tool said of its failure, as part of one sentence."""
    faults = [number for number, line in enumerate(tail) if line.startswith(("error", "npm err"))]
    if not faults:
        said = tail[-1] if tail else "it said nothing"
        return f"{step.label} ended with code {code} ({said})"
    words = ("error: ", "cause: ", "npm error ")
    said = [_without(line, words) for line in tail[faults[0] :]]
    return ": ".join(said)[: MAX_LINE * 2].rstrip(".")


def _without(line: str, words: tuple[str, ...]) -> str:
    for word in words:
        line = line.removeprefix(word)
    return line


def _told(error: SandboxError | OSError) -> SandboxError:
    if isinstance(error, SandboxError):
        return error
    return BuildFailed(f"its folder cannot be written ({error.strerror})", (), lasting=False)


def _bytes_below(folder: Path) -> int:
    """Return how much a folder holds; links are not followed."""
    total = 0
    for _, _, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        for name in files:
            total += os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_size
    return total
