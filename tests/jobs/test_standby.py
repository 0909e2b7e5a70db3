"""A CLI that waits for a run like the last one: who gets it, and that nothing is left of it."""

import os
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from anyio.abc import TaskGroup

from gateway.auth.run_tokens import token_hash
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.forwarder import Accounts
from gateway.jobs.clock import SystemClock
from gateway.jobs.errors import RunRefused
from gateway.jobs.folders import folders_for, make_folders, remove_standbys
from gateway.jobs.places import Places
from gateway.jobs.process import read_group
from gateway.jobs.runner import Runner
from gateway.jobs.setup import Setup
from gateway.jobs.standbys import Standbys
from gateway.jobs.surroundings import is_versioned
from gateway.standin import ModelRequest, Reply, Say
from sandboxes.network.outside import Internet
from tests.jobs.conftest import KEPT_S
from tests.jobs.parts import CLI_GUARD_S, Parts, a_run, processes_of
from tests.waiting import until

pytestmark = pytest.mark.timeout(2 * CLI_GUARD_S)


class WatchedClock(SystemClock):
    """Counts the waits of the runner, each of which ends a look at its queue; can be set ahead."""

    def __init__(self) -> None:
        self.waits = 0
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms

    async def sleep_until(self, instant: int | None) -> None:
        self.waits += 1
        await super().sleep_until(instant)

    async def until_looked(self, runner: Runner) -> None:
        """Return when the runner has looked at its queue, from the beginning to the end."""
        for _ in ("the look that may be going on", "one more"):
            before = self.waits
            runner.wake()
            await until(lambda before=before: self.waits > before)


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
            folders = folders_for(parts.home, run_id, None)
            group = read_group(folders.group_file)
            # Removed when the CLI has answered that it has its servers.
            if group is not None and not folders.servers_file.exists():
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


async def test_a_cli_that_hangs_is_replaced(small: Parts):
    """Ours: it is asked before it is given to a run."""
    async with small.runner() as runner:
        await ended(runner, quick())
        run_id, group = await until_it_waits(small)
        for process in psutil.Process(group).children(recursive=True):
            process.suspend()
        run = await ended(runner, quick())
        assert not psutil.pid_exists(group)
    assert (run.id, run.status) == (run_id, RunStatus.SUCCEEDED)


async def test_a_cli_whose_token_may_be_over_is_replaced(small: Parts):
    """Ours: the machine may have been suspended, in which time the CLI did not wait."""
    clock = WatchedClock()
    async with small.runner(clock=clock) as runner:
        await ended(runner, quick())
        run_id, group = await until_it_waits(small)
        started = {process.pid for process in psutil.Process(group).children(recursive=True)}
        clock.ahead_ms = int(2 * KEPT_S * 1000)
        run = await ended(runner, quick())
    assert (run.id, run.status) == (run_id, RunStatus.SUCCEEDED)
    assert int(run.output or 0) not in started


async def test_a_run_that_is_refused_takes_its_cli_along(small: Parts):
    """Ours: what waits for a run does not outlive it, nor do its tokens."""
    async with small.runner() as runner:
        await ended(runner, quick())
        run_id, group = await until_it_waits(small)
        small.gate.refuse.add("adder")
        run = await ended(runner, quick())
        assert (run.id, run.status) == (run_id, RunStatus.FAILED)
        assert not psutil.pid_exists(group)
        assert small.run_tokens.grant(token_hash(small.gate.tokens[1])) is None


async def test_a_cli_does_not_wait_for_ever(small: Parts):
    """Ours: its processes, its folders and its tokens go."""
    small.config = replace(small.config, standby_s=0.01)
    async with small.runner() as runner:
        await ended(runner, quick())
        await until(lambda: len(small.gate.tokens) == 2)
        await until(lambda: not waiting(small))
        assert processes_of(small.home) == []
        assert small.run_tokens.grant(token_hash(small.gate.tokens[1])) is None


async def test_no_cli_waits_after_a_run_that_failed(small: Parts):
    """Ours: the next one may fail as well."""
    clock = WatchedClock()
    async with small.runner(clock=clock) as runner:
        failed = await ended(runner, quick(tools=("Read", "Write")))
        await clock.until_looked(runner)
        again = quick(tools=("Read", "Write"))
        assert (await ended(runner, again)).id == again.id
    assert failed.status is RunStatus.FAILED


async def test_no_cli_waits_for_what_nobody_waits_for(parts: Parts):
    """Ours: the next tick of a schedule is far away."""
    of_job = partial(a_run, job_id="job_1")
    async with anyio.create_task_group() as tasks:
        standbys = no_more_than_begun(parts, tasks)
        for trigger in (Trigger.CRON, Trigger.CHAIN):
            standbys.follow(of_job(trigger=trigger))
            assert standbys.work_folders() == set()
        standbys.follow(of_job())
        assert standbys.work_folders() == {"job_1"}


async def test_no_cli_waits_in_a_repository(parts: Parts):
    """Ours: the CLI tells the model the state of a repository as it was at its start."""
    async with anyio.create_task_group() as tasks:
        standbys = no_more_than_begun(parts, tasks)
        (parts.home / ".git").mkdir()
        standbys.follow(quick())
        assert standbys.work_folders() == set()
        (parts.home / ".git").rmdir()
        standbys.follow(quick())
        assert len(standbys.work_folders()) == 1


def no_more_than_begun(parts: Parts, tasks: TaskGroup) -> Standbys:
    """Return what begins to have a CLI wait; none is started, for its setup is refused."""

    async def refuse(run: Run) -> Setup:
        raise RunRefused("It is enough that it began.")

    accounts = Accounts(parts.config.prices)
    places = Places(
        parts.home,
        parts.config,
        parts.gate,
        parts.run_tokens,
        accounts,
        parts.gate.serve,
        Internet(),
    )
    limits = parts.config.limits
    return Standbys(tasks, places, refuse, SystemClock(), limits, KEPT_S, lambda: None)


def test_a_folder_that_cannot_be_looked_at_may_be_a_repository(tmp_path: Path):
    """Ours: a run may close its folder; whoever asks goes on."""
    assert not is_versioned(tmp_path / "missing")
    assert is_versioned(tmp_path / ("n" * 300))
    (tmp_path / ".git").symlink_to("/nowhere/at/all")
    assert is_versioned(tmp_path / "missing")


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
