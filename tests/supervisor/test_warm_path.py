"""Python servers start by forks of a warm process, and by programs where that cannot be."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import psutil
import pytest

from sandboxes import ownership, probe
from sandboxes.launch import StartKind
from sandboxes.policy import Level, Network, NetworkMode
from supervisor.config import SupervisorConfig, WarmStarts
from supervisor.errors import ChildDied
from supervisor.events import ServerState, WarmLost, WarmStarted, WentCold
from supervisor.spec import DeclaredCredential, ServerKind, ServerSpec
from supervisor.starts.leftovers import PidFile
from supervisor.starts.warm_source import WarmSource
from supervisor.supervisor import Supervisor
from tests.sandboxes.conftest import Room, open_to_all
from tests.sandboxes.warm_rooms import warm_config
from tests.supervisor.conftest import IMPATIENT, RAW_SERVER, Stage
from tests.waiting import until

REHEARSAL = Path(__file__).resolve().parents[2] / "gateway" / "rehearsal.py"
GUARD_S = 50.0
"""A warm process that imports FastMCP takes 2 s, on a machine that is busy 15 s."""
ADDER = """
from fastmcp import FastMCP
mcp = FastMCP("adder")

@mcp.tool
def add(a: int, b: int) -> int:
    return a + b

if __name__ == "__main__":
    mcp.run(show_banner=False)
"""
pytestmark = pytest.mark.skipif(
    probe.problem(Level.STRONG) is not None, reason="warm starts are made at level strong"
)


def server(root: Path, name: str, code: str | None = None, **changes: object) -> ServerSpec:
    """Write a server, raw when no code is given, and return its spec."""
    folder = root / "code" / name
    folder.mkdir(parents=True, exist_ok=True)
    text = code or RAW_SERVER.read_text(encoding="utf-8")
    (folder / "server.py").write_text(text, encoding="utf-8")
    spec = ServerSpec(name=name, kind=ServerKind.DYNAMIC, code_dir=folder, digest="1")
    return replace(spec, **changes)


@asynccontextmanager
async def open_warm(
    root: Path,
    *,
    rehearsal: str | Path = "",
    python: Path | None = None,
    credentials: dict[str, str] | None = None,
) -> AsyncGenerator[Stage]:
    """Enter a supervisor at level strong that starts servers warm, after rehearsing nothing."""
    open_to_all(root)
    (root / "home").mkdir(exist_ok=True)
    script = rehearsal if isinstance(rehearsal, Path) else root / "rehearsal.py"
    if isinstance(rehearsal, str):
        script.write_text(rehearsal, encoding="utf-8")

    async def values(spec: ServerSpec) -> dict[str, str]:
        return credentials or {}

    config = SupervisorConfig(
        home=root / "home",
        python=python or Path(sys.executable),
        level=Level.STRONG,
        restart=IMPATIENT,
        warm=WarmStarts(script, (root / "code",)),
    )
    stage: Stage
    supervisor = Supervisor(config=config, credentials=values, emit=lambda event: stage.emit(event))
    stage = Stage(supervisor, config.home, guard_s=GUARD_S)
    async with supervisor:
        yield stage


async def test_fastmcp_server_starts_warm_and_answers(tmp_path: Path) -> None:
    """Issue: a Python server without a command is a fork of what has imported its libraries."""
    async with open_warm(tmp_path, rehearsal=REHEARSAL) as stage:
        await stage.until(lambda: bool(stage.said(WarmStarted) or stage.said(WarmLost)))
        assert stage.said(WarmLost) == []
        seen = await stage.start(server(tmp_path, "adder", ADDER))
        assert (seen.state, seen.start, seen.reason) == (ServerState.READY, StartKind.WARM, "")
        assert await stage.call("adder", "add", a=2, b=3) == "5"
        assert stage.said(WentCold) == []
    assert seen.pid is not None
    assert not psutil.pid_exists(seen.pid)
    assert not psutil.pid_exists(stage.said(WarmStarted)[0].pid)
    assert json.loads((stage.home / "pids.json").read_text(encoding="utf-8")) == []


async def test_each_server_has_its_own_variables_only(tmp_path: Path) -> None:
    """Ours: what is declared reaches the server that declared it."""
    async with open_warm(tmp_path, credentials={"KEY": "s3cret"}) as stage:
        await stage.start(server(tmp_path, "one", credentials=(DeclaredCredential("KEY"),)))
        await stage.start(server(tmp_path, "two"))
        one, two = [json.loads(await stage.call(name, "environment")) for name in ("one", "two")]
        assert one.pop("KEY") == "s3cret"
        assert {key for key in one if one[key] != two[key]} == {
            "CLAUDE_RUNNER_CHILD",
            "DATA_DIR",
            "HOME",
            "PWD",
            "TMPDIR",
        }
        assert set(one) == set(two)
        assert [stage.supervisor.snapshot(n).start for n in ("one", "two")] == [StartKind.WARM] * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": (("FASTMCP_LOG_LEVEL", "DEBUG"),)},
        {"command": (sys.executable, "server.py"), "read_only": (Path(sys.prefix),)},
        {"read_only": (Path("/var/tmp"),)},
    ],
    ids=["import-time variable", "command", "granted folder"],
)
async def test_what_a_fork_cannot_be_starts_cold(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    """Ours: a fork that would be another server is not made, and nobody is warned."""
    async with open_warm(tmp_path) as stage:
        spec = replace(server(tmp_path, "raw"), **changes)
        if spec.command is not None:
            spec = replace(spec, command=(sys.executable, str(spec.code_dir / "server.py")))
        seen = await stage.start(spec)
        assert (seen.state, seen.start) == (ServerState.READY, StartKind.COLD)
        assert stage.said(WentCold) == []


async def test_network_in_full_brings_a_warm_process_of_its_own(tmp_path: Path) -> None:
    """Design: one per environment and network class; this one comes when it is first needed."""
    async with open_warm(tmp_path) as stage:
        await stage.until(lambda: bool(stage.said(WarmStarted)))
        full = Network(NetworkMode.FULL)
        seen = await stage.start(server(tmp_path, "raw", network=full))
        assert (seen.state, seen.start) == (ServerState.READY, StartKind.WARM)
        assert (len(stage.said(WarmStarted)), stage.said(WentCold)) == (2, [])


async def test_warm_process_without_children_ends_and_comes_back(tmp_path: Path) -> None:
    """Ours: the one that only few servers need costs nothing while none of them runs."""
    started: list[int] = []
    source = WarmSource(
        warm_config(tmp_path),
        emit=lambda event: started.append(event.pid) if isinstance(event, WarmStarted) else None,
        pids=PidFile(tmp_path / "pids.json"),
        unused_s=0.1,
    )
    code, home = tmp_path / "code" / "one", tmp_path / "servers" / "one"
    code.mkdir()
    python = Path(sys.executable)
    room = Room(Level.STRONG, code, home / "data", home / "private", code, python)
    ownership.make_folders(room.data, room.private, room.uid)
    ready = room.prepare(room.command("input()"))
    async with anyio.create_task_group() as group:
        group.start_soon(source.keep)
        await anyio.wait_all_tasks_blocked()
        assert started == []
        for count in (1, 2):
            child = await source.fork(ready)
            assert len(started) == count
            child.give_up()
            await until(lambda: not psutil.pid_exists(started[-1]))
        group.cancel_scope.cancel()


async def test_end_of_a_fork_is_told_in_words(tmp_path: Path) -> None:
    """Ours: the warm process reports the status; a death is repaired by another fork."""
    async with open_warm(tmp_path) as stage:
        first = await stage.start(server(tmp_path, "raw"))
        with pytest.raises(ChildDied) as died:
            await stage.call("raw", "die", status=7)
        assert (died.value.reason, died.value.stderr_tail) == ("exit code 7", ("last words",))
        await stage.until(lambda: stage.supervisor.snapshot("raw").pid not in (None, first.pid))
        assert stage.supervisor.snapshot("raw").start is StartKind.WARM


async def test_killed_fork_is_told_by_its_signal_and_takes_its_processes_along(
    tmp_path: Path,
) -> None:
    """Ours: as under bubblewrap, all processes of a server end with it."""
    async with open_warm(tmp_path) as stage:
        first = await stage.start(server(tmp_path, "raw"))
        assert first.pid is not None
        await stage.call("raw", "spawn")
        (program,) = psutil.Process(first.pid).children()
        (grandchild,) = program.children()
        program.send_signal(signal.SIGSEGV)
        crashed = "killed by SIGSEGV (its own compiled code crashed)"
        await stage.until(lambda: stage.supervisor.snapshot("raw").last_exit == crashed)
        await stage.until(lambda: not grandchild.is_running())


async def test_server_that_ends_at_once_is_no_reason_to_distrust_forks(tmp_path: Path) -> None:
    """Ours: only what happens before a server's code runs is the warm process's."""
    async with open_warm(tmp_path) as stage:
        seen = await stage.start(server(tmp_path, "raw", "input()\nraise SystemExit(97)"))
        assert seen.last_exit == "exit code 97 before it was ready"
        assert stage.said(WentCold) == []


async def test_ended_warm_process_comes_back_and_its_servers_too(tmp_path: Path) -> None:
    """Ours: the death of the warm process is the death of its children, and is repaired."""
    async with open_warm(tmp_path) as stage:
        first = await stage.start(server(tmp_path, "raw"))
        os.killpg(stage.said(WarmStarted)[0].pid, signal.SIGKILL)
        await stage.until(lambda: stage.supervisor.snapshot("raw").pid not in (None, first.pid))
        await stage.until(lambda: len(stage.said(WarmStarted)) == 2)
        assert stage.said(WarmLost) == [WarmLost("it ended")]
        await stage.supervisor.restart("raw")
        assert stage.supervisor.snapshot("raw").start is StartKind.WARM


def bare_environment(folder: Path) -> Path:
    """Make a virtual environment without packages and return its interpreter."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(Path(sys.executable).resolve())
    home = Path(sys.executable).resolve().parent
    (folder / "pyvenv.cfg").write_text(f"home = {home}\n", encoding="utf-8")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "lib" / version / "site-packages").mkdir(parents=True)
    return python


async def test_changed_packages_bring_a_new_warm_process(tmp_path: Path) -> None:
    """Ours: what starts after an installation has the new packages; what runs goes on."""
    python = bare_environment(tmp_path / "environment")
    (packages,) = (tmp_path / "environment").glob("lib/*/site-packages")
    async with open_warm(tmp_path, python=python) as stage:
        old = await stage.start(server(tmp_path, "old"))
        (packages / "new-1.0.dist-info").mkdir()
        new = await stage.start(server(tmp_path, "new"))
        assert (old.start, new.start) == (StartKind.WARM, StartKind.WARM)
        assert len(stage.said(WarmStarted)) == 2
        assert stage.supervisor.snapshot("old").pid == old.pid
        before = stage.said(WarmStarted)[0].pid
        await stage.supervisor.disable("old")
        await stage.until(lambda: not psutil.pid_exists(before))
        assert stage.supervisor.snapshot("new").pid == new.pid


async def test_rehearsal_that_fails_leaves_cold_starts_and_a_warning(tmp_path: Path) -> None:
    """Ours: no server fails because the fast way to start it does."""
    async with open_warm(tmp_path, rehearsal="raise ValueError('forgot the text')") as stage:
        seen = await stage.start(server(tmp_path, "raw"))
        assert (seen.state, seen.start) == (ServerState.READY, StartKind.COLD)
        assert stage.said(WarmLost)[0] == WarmLost("ValueError: forgot the text")
        assert stage.said(WentCold)[0].server == "raw"


async def test_process_with_two_threads_is_not_forked(tmp_path: Path) -> None:
    """Ours: looked at before each fork; a lock held by another thread would never open."""
    rehearsal = (
        "import signal, threading\n"
        "def begin(number, frame):\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "signal.signal(signal.SIGUSR1, begin)\n"
    )
    async with open_warm(tmp_path, rehearsal=rehearsal) as stage:
        await stage.until(lambda: bool(stage.said(WarmStarted)))
        (warm,) = psutil.Process(stage.said(WarmStarted)[0].pid).children()
        warm.send_signal(signal.SIGUSR1)
        await stage.until(lambda: warm.num_threads() == 2)
        seen = await stage.start(server(tmp_path, "raw"))
        assert (seen.state, seen.start) == (ServerState.READY, StartKind.COLD)
        assert stage.said(WarmLost) == [WarmLost("it has 2 threads")]


DOOMED = """
import anyio, sys
from pathlib import Path
from tests.supervisor.test_warm_path import WarmStarted, open_warm, server

async def main():
    root = Path(sys.argv[1])
    async with open_warm(root) as stage:
        seen = await stage.start(server(root, "raw"))
        await stage.call("raw", "spawn")
        print(stage.said(WarmStarted)[0].pid, seen.pid, seen.start, flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


async def test_killed_gateway_takes_the_warm_process_and_its_forks_along(tmp_path: Path) -> None:
    """Issue: no child survives 2 s; the guard is longer, for a busy machine."""
    room = tmp_path / "room"
    room.mkdir()
    with subprocess.Popen(
        (sys.executable, "-c", DOOMED, str(room)), stdout=subprocess.PIPE, text=True
    ) as gateway:
        assert gateway.stdout
        warm, child, start = gateway.stdout.readline().split()
        assert start == "warm"
        family = psutil.Process(int(warm)).children(recursive=True)
        assert int(child) in [process.pid for process in family]
        gateway.kill()
        _, alive = psutil.wait_procs(family, timeout=GUARD_S)
        assert alive == []
