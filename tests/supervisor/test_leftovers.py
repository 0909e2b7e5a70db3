"""A killed supervisor: its children end with it, and what does not is ended at the next start."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from supervisor.events import LeftoverKilled
from supervisor.starts.leftovers import MARKER
from tests.supervisor.conftest import open_stage
from tests.waiting import until

DOOMED = """
import anyio, sys
from pathlib import Path
from tests.supervisor.conftest import open_stage, raw_spec

async def main():
    async with open_stage(Path(sys.argv[1])) as stage:
        for name in ("a", "b"):
            await stage.start(raw_spec(name))
        print(await stage.call("a", "spawn"), flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int], int]]:
    """A process with a supervisor, the pids of its two children, and of a grandchild."""
    process = subprocess.Popen(
        (sys.executable, "-c", DOOMED, str(tmp_path)), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    grandchild = int(process.stdout.readline())
    rows = json.loads((tmp_path / "pids.json").read_text(encoding="utf-8"))
    yield process, [row["pid"] for row in rows], grandchild
    process.kill()
    process.wait()
    process.stdout.close()


def alive(pid: int) -> bool:
    """True while a process runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_no_child_survives_a_killed_supervisor_and_the_next_start_sweeps_the_rest(
    doomed: tuple[subprocess.Popen[str], list[int], int], tmp_path: Path
) -> None:
    """Issue: no child survives 2 s; leftovers are swept at the next start."""
    process, children, grandchild = doomed
    assert len(children) == 2
    process.kill()
    await until(lambda: not any(alive(pid) for pid in children))
    assert alive(grandchild), "level off has no way to tie a grandchild to us"
    async with open_stage(tmp_path) as stage:
        assert stage.said(LeftoverKilled)
    await until(lambda: not alive(grandchild))


async def test_a_number_that_was_used_again_is_nobody_of_ours(tmp_path: Path) -> None:
    """Ours: the start time is compared."""
    stranger = subprocess.Popen(("sleep", "60"), start_new_session=True)
    try:
        rows = [{"server": "a", "pid": stranger.pid, "started_at": 1.0}]
        (tmp_path / "pids.json").write_text(json.dumps(rows), encoding="utf-8")
        async with open_stage(tmp_path) as stage:
            assert stage.said(LeftoverKilled) == []
        assert alive(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_torn_file_of_pids_is_no_reason_not_to_start(tmp_path: Path) -> None:
    """Ours."""
    (tmp_path / "pids.json").write_text('[{"server": "a"', encoding="utf-8")
    async with open_stage(tmp_path) as stage:
        assert stage.supervisor.snapshots() == ()


async def test_another_homes_children_are_left_alone(tmp_path: Path) -> None:
    """Ours: the mark names the home."""
    stranger = subprocess.Popen(("sleep", "60"), env={MARKER: "a@another-home"})
    try:
        async with open_stage(tmp_path):
            assert alive(stranger.pid)
    finally:
        os.kill(stranger.pid, signal.SIGKILL)
        stranger.wait()
