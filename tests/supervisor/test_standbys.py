"""A server with packages of its own starts from a process that has waited for it alone."""

import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest

from sandboxes import probe
from sandboxes.launch import StartKind
from sandboxes.packages.recipe import PythonRecipe, key_of
from sandboxes.policy import Level
from supervisor.events import WarmStarted, WentCold
from supervisor.spec import DeclaredCredential, ServerSpec
from tests.supervisor.conftest import Stage
from tests.supervisor.test_warm_path import bare_environment, open_warm, server

RECIPE = PythonRecipe(("toy==1.0",))
REHEARSAL = "import toy"
pytestmark = pytest.mark.skipif(
    probe.problem(Level.STRONG) is not None, reason="warm starts are made at level strong"
)


def build_by_hand(home: Path) -> None:
    """Make the environment of the recipe as a build would have left it."""
    place = home / "environments" / key_of(RECIPE, Path(sys.executable))
    bare_environment(place / "files")
    (packages,) = (place / "files").glob("lib/*/site-packages")
    (packages / "toy.py").write_text("VALUE = 1", encoding="utf-8")
    (place / "ready.json").write_text("{}", encoding="utf-8")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """A supervisor with the environment of the recipe."""
    async with open_warm(tmp_path, rehearsal=REHEARSAL, credentials={"KEY": "s3cret"}) as opened:
        build_by_hand(opened.home)
        yield opened


async def start(stage: Stage, root: Path) -> ServerSpec:
    """Start the server cold and return once another process waits for it."""
    spec = server(root, "own", recipe=RECIPE, credentials=(DeclaredCredential("KEY"),))
    first = await stage.start(spec)
    assert first.start is StartKind.COLD
    await stage.until(lambda: bool(waits(stage)))
    return spec


def waits(stage: Stage) -> list[int]:
    """Return the processes that waited for the server, in turn."""
    return [event.pid for event in stage.said(WarmStarted) if event.server == "own"]


async def test_next_child_is_the_process_that_waited_and_runs_what_is_there_now(
    tmp_path: Path, stage: Stage
) -> None:
    """Issue 4: warm, with the variables and the code of this start; a folder may be swapped."""
    spec = await start(stage, tmp_path)
    (waiting,) = waits(stage)
    variables = Path(f"/proc/{waiting}/environ").read_bytes()
    assert b"CLAUDE_RUNNER_CHILD=own@" in variables
    assert b"s3cret" not in variables
    cold = json.loads(await stage.call("own", "environment"))
    changed = tmp_path / "changed"
    shutil.copytree(spec.code_dir, changed)
    text = (changed / "server.py").read_text(encoding="utf-8")
    (changed / "server.py").write_text(text.replace('"s3cret"', "1"), encoding="utf-8")
    (changed / "beside.py").touch()
    spec.code_dir.rename(tmp_path / "previous")
    changed.rename(spec.code_dir)
    await stage.supervisor.restart("own")
    seen = stage.supervisor.snapshot("own")
    assert (seen.start, seen.pid) == (StartKind.WARM, waiting)
    assert json.loads(await stage.call("own", "environment")) == cold
    held = [path.name for path in (stage.home / "waiting").glob("*/*")]
    assert sorted(held) == ["beside.py", "server.py"]
    assert stage.said(WentCold) == []


async def test_crash_is_repaired_by_the_process_that_waited(tmp_path: Path, stage: Stage) -> None:
    """Issue 4: crash to recovered in the time of a warm start; what was copied goes."""
    await start(stage, tmp_path)
    first = stage.supervisor.snapshot("own").pid
    assert first is not None
    os.killpg(first, signal.SIGKILL)
    (waiting,) = waits(stage)
    await stage.until(lambda: stage.supervisor.snapshot("own").pid == waiting)
    os.killpg(waiting, signal.SIGKILL)
    await stage.until(lambda: not list((stage.home / "waiting").glob("*/server.py")))


async def test_process_that_ends_while_it_waits_is_told_and_the_start_is_cold(
    tmp_path: Path, stage: Stage
) -> None:
    """Ours: no server fails because the fast way to start it does."""
    await start(stage, tmp_path)
    (waiting,) = waits(stage)
    os.killpg(waiting, signal.SIGKILL)
    await stage.until(lambda: not psutil.pid_exists(waiting))
    await stage.supervisor.restart("own")
    assert stage.supervisor.snapshot("own").start is StartKind.COLD
    reason = "the process that waited for it is gone (killed by SIGKILL)"
    assert stage.said(WentCold) == [WentCold("own", reason)]


async def test_nothing_waits_for_a_server_that_was_switched_off(
    tmp_path: Path, stage: Stage
) -> None:
    """Ours: who is not needed holds no memory."""
    await start(stage, tmp_path)
    (waiting,) = waits(stage)
    await stage.supervisor.disable("own")
    await stage.until(lambda: not psutil.pid_exists(waiting))
    await stage.until(lambda: not list((stage.home / "waiting").iterdir()))
