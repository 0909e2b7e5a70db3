"""A CLI that waits for a run like the last one: who gets it, and that nothing is left of it."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from gateway.domain.run import Run, RunStatus, Trigger
from gateway.jobs.folders import folders_for, make_folders, remove_standbys
from gateway.jobs.process import read_group
from gateway.jobs.runner import Runner
from gateway.standin import ModelRequest, Reply, Say
from sandboxes.policy import Level
from tests.jobs.parts import CLI_GUARD_S, Parts, a_run, processes_of, until_processes
from tests.waiting import until

pytestmark = pytest.mark.timeout(2 * CLI_GUARD_S)

KEPT_S = 600.0


@pytest.fixture
async def small(parts: Parts, tmp_path: Path) -> AsyncIterator[Parts]:
    """The parts of runs with a small CLI; nothing of a CLI or a run is left at the end."""
    script = Path(__file__).with_name("small_cli.py").read_text("utf-8")
    cli = tmp_path / "small-cli"
    cli.write_text(f"#!{sys.executable} -IS\n{script}", "utf-8")
    cli.chmod(0o755)
    parts.config = replace(parts.config, cli=cli, level=Level.OFF, standby_s=KEPT_S)
    with anyio.fail_after(CLI_GUARD_S):
        yield parts
    assert processes_of(parts.home) == []
    assert list((parts.home / "runs").iterdir()) == []


def quick(**changes: Any) -> Run:
    """Return a quick run."""
    tools = ("Read", "mcp__adder__add")
    defaults = {"trigger": Trigger.QUICK, "tools": tools, "prompt": "Who are you?"}
    return a_run(**{**defaults, **changes})


async def ended(runner: Runner, run: Run) -> Run:
    """Return a run, ended, after it was submitted."""
    run = await runner.submit(run)
    return await runner.wait(run.id)


def waiting(parts: Parts) -> list[str]:
    """Return the ids of runs that a CLI waits for."""
    return [found.parent.name for found in (parts.home / "runs").glob("*/standby")]


async def until_it_waits(parts: Parts) -> tuple[str, int]:
    """Return the id of the run for which a CLI waits, and the number of its group."""
    while True:
        for run_id in waiting(parts):
            group = read_group(parts.home / "runs" / run_id / "group")
            if group is not None:
                return run_id, group.number
        await anyio.sleep(0.01)


async def test_a_run_like_the_last_one_gets_the_cli_that_waits(small: Parts):
    """Ours: also when it asks something else, and comes while that CLI is still starting."""
    async with small.runner() as runner:
        first = await ended(runner, quick())
        run_id, _ = await until_it_waits(small)
        second = await ended(runner, quick(prompt="Who are you now?"))
        await until(lambda: waiting(small))
        third = await ended(runner, quick())
        assert (first.status, third.status) == (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED)
        assert (second.id, second.status, second.attempt) == (run_id, RunStatus.SUCCEEDED, 1)
        assert first.output != second.output != third.output
        assert (small.home / "claude_playground" / run_id).is_dir()
        last, _ = await until_it_waits(small)
    assert not (small.home / "claude_playground" / last).exists()


async def test_the_cli_that_waited_is_the_one_that_is_asked(small: Parts):
    """Ours: nothing is started a second time."""
    async with small.runner() as runner:
        await ended(runner, quick())
        _, group = await until_it_waits(small)
        started = {process.pid for process in psutil.Process(group).children(recursive=True)}
        run = await ended(runner, quick())
    assert int(run.output or 0) in started


async def test_a_run_with_other_tools_ends_the_cli_that_waits(small: Parts):
    """Ours: it is given to no run that was granted anything else."""
    async with small.runner() as runner:
        await ended(runner, quick())
        run_id, group = await until_it_waits(small)
        other = await ended(runner, quick(tools=("Read",)))
        assert (other.id != run_id, other.status) == (True, RunStatus.SUCCEEDED)
        await until(lambda: not psutil.pid_exists(group))


async def test_a_server_that_began_again_ends_the_cli_that_waits(small: Parts):
    """Ours: what its servers show is looked at when the run starts, and so is all of the setup."""
    async with small.runner() as runner:
        await ended(runner, quick())
        run_id, group = await until_it_waits(small)
        small.gate.generation += 1
        run = await ended(runner, quick())
        assert (run.id, run.status) == (run_id, RunStatus.SUCCEEDED)
        assert not psutil.pid_exists(group)
        (record,) = await small.store.run_records.of_run(run_id)
        assert [used.generation for used in record.servers] == [2]


async def test_a_cli_that_died_waiting_is_replaced(small: Parts):
    """Ours: the run starts one as if none had waited."""
    async with small.runner() as runner:
        await ended(runner, quick())
        run_id, group = await until_it_waits(small)
        os.killpg(group, signal.SIGKILL)
        run = await ended(runner, quick())
    assert (run.id, run.status) == (run_id, RunStatus.SUCCEEDED)


async def test_a_cli_does_not_wait_for_ever(small: Parts):
    """Ours: its processes, its folders and its tokens go."""
    small.config = replace(small.config, standby_s=0.01)
    async with small.runner() as runner:
        await ended(runner, quick())
        await until_processes(small.home, lambda found: not found)
        await until(lambda: not waiting(small))


async def test_no_cli_waits_for_what_nobody_waits_for(small: Parts):
    """Ours: the next tick of a schedule is far away, and a failed run may fail again."""
    async with small.runner() as runner:
        await ended(runner, quick(trigger=Trigger.CRON))
        await ended(runner, quick(tools=("Read", "Write")))
        assert waiting(small) == []


async def test_no_cli_waits_in_a_repository(small: Parts):
    """Ours: the CLI tells the model the state of a repository as it was at its start."""
    (small.home / ".git").mkdir()
    async with small.runner() as runner:
        await ended(runner, quick())
        assert waiting(small) == []


async def test_what_a_killed_gateway_left_waiting_is_removed(tmp_path: Path):
    """Ours: and nothing else: HOME of a run that goes on with its conversation stays."""
    left, kept = (folders_for(tmp_path, name, None) for name in ("run_left", "run_kept"))
    job = folders_for(tmp_path, "run_of_job", "job_kept")
    for folders in (left, kept, job):
        make_folders(folders)
    for folders in (left, job):
        folders.standby_file.touch()
    remove_standbys(tmp_path)
    assert [left.private.exists(), left.work.exists()] == [False, False]
    assert [kept.private.exists(), kept.work.exists()] == [True, True]
    assert [job.private.exists(), job.work.exists()] == [False, True]


async def test_the_real_cli_waits_and_has_its_tools(parts: Parts):
    """Ours: at the tightest level, with a server; its tools are proved when the run starts."""
    parts.config = replace(parts.config, standby_s=KEPT_S)
    asked: list[set[int]] = []

    def look(request: ModelRequest) -> Reply:
        assert [tool.name for tool in request.tools] == ["mcp__adder__add"]
        asked.append({process.pid for process in processes_of(parts.home)})
        return Say("here")

    parts.api.script = look
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner() as runner:
            await ended(runner, quick(tools=("mcp__adder__add",)))
            assert len(parts.api.requests) == 1
            run_id, group = await until_it_waits(parts)
            run = await ended(runner, quick(tools=("mcp__adder__add",), prompt="Once more."))
    assert (run.id, run.status, run.error) == (run_id, RunStatus.SUCCEEDED, None)
    assert group in asked[1]
    assert len(parts.api.requests) == 2
    assert processes_of(parts.home) == []
    assert list((parts.home / "runs").iterdir()) == []


async def test_a_queued_run_that_is_killed_takes_its_cli_along(small: Parts):
    """Ours: what waits for a run under its id does not outlive it."""
    async with small.runner() as runner:
        await ended(runner, quick())
        run_id, group = await until_it_waits(small)
        await small.store.runs.add(quick(id=run_id, not_before=2**52))
        await runner.kill(run_id)
        assert not psutil.pid_exists(group)
        assert not (small.home / "runs" / run_id).exists()
