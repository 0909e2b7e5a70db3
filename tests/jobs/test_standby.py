"""A CLI that waits for a run like the last one: who gets it, and that nothing is left of it."""

import os
import signal
from dataclasses import replace

import anyio
import psutil
import pytest

from gateway.auth.run_tokens import token_hash
from gateway.domain.run import RunStatus
from gateway.jobs.surroundings import Surroundings
from gateway.standin import ModelRequest, Reply, Say
from tests.jobs.conftest import KEPT_S
from tests.jobs.parts import CLI_GUARD_S, Parts, processes_of
from tests.jobs.waiting_clis import WatchedClock, ended, quick, until_it_waits, waiting
from tests.waiting import until

pytestmark = pytest.mark.timeout(2 * CLI_GUARD_S)


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


async def test_a_cli_that_cannot_be_watched_does_not_wait(small: Parts):
    """Ours: what fails around it ends it and nothing else."""
    looks = [True]
    async with small.runner(around=Surroundings(has_room=looks.pop)) as runner:
        await ended(runner, quick())
        await until(lambda: len(small.gate.tokens) == 2 and not waiting(small))
        assert processes_of(small.home) == []


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
