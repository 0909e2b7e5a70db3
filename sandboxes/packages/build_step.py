"""Runs one program of a build: its proxy beside it, its growth watched, its last lines kept.

Above: `environments`. Below: `build`, which says what is started and how.
"""

import os
import re
import socket
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from signal import SIGKILL
from subprocess import DEVNULL, STDOUT

import anyio
from anyio import to_thread
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from sandboxes.errors import SandboxError
from sandboxes.launch import Launch
from sandboxes.limits import tree, watchdog
from sandboxes.network.egress import Proxy, serve_handed_over
from sandboxes.network.outside import Internet
from sandboxes.network.proxy_request import Refusal
from sandboxes.network.traffic import Traffic
from sandboxes.network.upstream_proxy import Behind, read_upstream
from sandboxes.network.way_out import Egress, WayOut
from sandboxes.packages import build
from sandboxes.packages.build import LIMITS, MAX_FILES, Site, Step, Tools
from sandboxes.packages.recipe import PythonRecipe, Recipe
from sandboxes.policy import MIB

TAIL_LINES = 30
MAX_LINE = 500
WATCH_EVERY_S = 1.0
WATCH_SHARE = 4
"""A look at a large environment takes long; we rest this many times as long after it."""
CACHES = 2
"""A cache may begin as large as an environment, and a build may add one."""
NO_SOLUTION = 1
"""uv's exit code for requirements that cannot be met; others are faults of network or disk."""

Progress = Callable[[str], None]
"""Called with each line that says how far a build is."""

_NO_WHEEL = re.compile(r"Wheels are required for `([^`]+)`|([\w.-]+)==\S+ has no usable wheels")
_ANOTHER = re.compile(r"Hash mismatch for `([^`]+)`|npm error code EINTEGRITY")
_USERINFO = re.compile(r"(\w+://)[^/\s@]+@")


class BuildFailed(SandboxError):
    """An environment could not be built."""

    def __init__(self, reason: str, tail: tuple[str, ...], *, lasting: bool) -> None:
        super().__init__(reason)
        self.tail = tail
        self.lasting = lasting
        """True: the same declaration will fail again."""


async def run_step(step: Step, recipe: Recipe, site: Site, tools: Tools, say: Progress) -> None:
    """Run one program of a build to its end.

    Raises:
        BuildFailed: it failed, or took more than a build may.
        SandboxError: it cannot be confined as asked.
    """
    ready = await to_thread.run_sync(build.launch, step, recipe, site, tools)
    egress, traffic = build.egress_of(step, recipe, tools), Traffic()
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    overrun: list[str] = []
    code = 0
    async with (
        _started(ready, egress, tools, traffic) as process,
        anyio.create_task_group() as group,
    ):
        group.start_soon(_watch, process.pid, site, tools.max_bytes, overrun)
        async for line in _lines(process):
            tail.append(line)
            say(line)
        code = await process.wait()
        group.cancel_scope.cancel()
    if overrun:
        raise BuildFailed(overrun[0], tuple(tail), lasting=True)
    if code != 0:
        lasting = isinstance(recipe, PythonRecipe) and code == NO_SOLUTION
        reason = _reason(tuple(tail), traffic.refused_hosts) or _gist(tuple(tail), step, code)
        raise BuildFailed(reason, tuple(tail), lasting=lasting)


def excess(site: Site, max_bytes: int) -> str | None:
    """Return in words which ceiling a build is over, or None. Blocking."""
    most = f"{max_bytes / 1024**3:.3g} GiB"
    size = tree.measure((site.files, site.home), max_entries=MAX_FILES)
    if size.bytes > max_bytes:
        return f"its packages take more than {most}, which is the most for one environment"
    if size.entries > MAX_FILES or size.too_deep:
        return f"its packages have more than {MAX_FILES} files, or folders too deep to count"
    cache = tree.measure((site.cache,), max_entries=MAX_FILES)
    if cache.bytes > CACHES * max_bytes or cache.entries > MAX_FILES:
        return f"its downloads take more than {most}, which is the most for one environment"
    return None


@asynccontextmanager
async def _started(
    ready: Launch, egress: Egress | None, tools: Tools, traffic: Traffic
) -> AsyncGenerator[Process]:
    """Start a program in a session of its own, serve its proxy, leave nothing of it behind."""
    if egress is None:
        async with _process(ready.argv, ready) as process:
            yield process
        return
    upstream = read_upstream(tools.index.variables)
    proxy = Proxy(
        egress,
        Behind(upstream) if upstream else Internet(),
        on_refused=_ignore,
        traffic=traffic,
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        async with (
            _process(ready.handing_over(theirs.fileno()), ready, theirs.fileno()) as process,
            anyio.create_task_group() as group,
        ):
            theirs.close()
            group.start_soon(serve_handed_over, WayOut(egress, ours), proxy)
            yield process
            group.cancel_scope.cancel()


@asynccontextmanager
async def _process(
    argv: tuple[str, ...], ready: Launch, *inherited: int
) -> AsyncGenerator[Process]:
    process = await anyio.open_process(
        argv,
        stdin=DEVNULL,
        stderr=STDOUT,
        env=dict(ready.env),
        cwd=ready.cwd,
        start_new_session=True,
        pass_fds=inherited,
    )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                os.killpg(process.pid, SIGKILL)
            await process.aclose()


async def _watch(pid: int, site: Site, max_bytes: int, overrun: list[str]) -> None:
    """Kill a program that takes more than a build may, and say why in `overrun`."""
    table = watchdog.ProcessTable()
    while True:
        began = time.monotonic()
        look = partial(_too_much, table, pid, site, max_bytes)
        reason = await to_thread.run_sync(look)
        if reason is not None:
            overrun.append(reason)
            os.killpg(pid, SIGKILL)
            return
        await anyio.sleep(max(WATCH_EVERY_S, WATCH_SHARE * (time.monotonic() - began)))


def _too_much(table: watchdog.ProcessTable, pid: int, site: Site, max_bytes: int) -> str | None:
    found = table.trees((pid,)).get(pid)
    most = LIMITS.memory_bytes
    if (
        found is not None
        and found.resident_bytes > most
        and watchdog.proportional_bytes(found.pids) > most
    ):
        return f"it used more than {most // MIB} MiB of memory"
    return excess(site, max_bytes)


async def _lines(process: Process) -> AsyncGenerator[str]:
    assert process.stdout is not None
    rest = ""
    async for text in TextReceiveStream(process.stdout, errors="replace"):
        *lines, rest = (rest + text).split("\n")
        rest = rest[-MAX_LINE:]
        for line in lines:
            if line.strip():
                yield _without_passwords(line.strip())[:MAX_LINE]
    if rest.strip():
        yield _without_passwords(rest.strip())


def _without_passwords(line: str) -> str:
    return _USERINFO.sub(r"\1****@", line)


def _reason(tail: tuple[str, ...], refused: tuple[str, ...]) -> str | None:
    """Return the reason that the owner can do something about, as part of one sentence."""
    match = _NO_WHEEL.search(" ".join(tail))
    if match is not None:
        package = match[1] or match[2]
        return (
            f"package {package!r} has no wheel for this machine, and building it from source would "
            f"run its code: name another version, or let the machine's owner allow it with "
            f'"allow_source_builds": true in the metadata of a fixed server'
        )
    another = _ANOTHER.search(" ".join(tail))
    if another is not None:
        return (
            f"{another[1] or 'a package'} is not what it was pinned to: the index has another file "
            f"under the same version"
        )
    if refused:
        return (
            f"{refused[-1]} is no host of this machine's package index; if packages are kept "
            f"there, the machine's owner can name it in PACKAGE_HOSTS"
        )
    return None


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


def _ignore(_refusal: Refusal) -> None:
    """A refused host is told with the failure that it leads to."""
