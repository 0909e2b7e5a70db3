"""Ways in which a run ends before its time; none leaves a process."""

import os
import signal

import anyio
import pytest

from gateway.domain.run import RunStatus
from gateway.jobs.errors import RunFinished, RunNotFound
from gateway.jobs.limits import RunLimits
from gateway.standin import Call, Hang, ModelRequest, Reply, Say
from tests.jobs.parts import (
    CLI_GUARD_S,
    Parts,
    Seen,
    WatchedShelf,
    a_run,
    processes_of,
    until_processes,
)
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(2 * CLI_GUARD_S)

STUBBORN = "(trap '' TERM HUP INT; setsid sleep 313 & sleep 313)"


def call_then_hang(request: ModelRequest) -> Reply:
    """Call the tool once, then never answer."""
    return Hang() if request.tool_results else Call("mcp__adder__add", {"a": 1, "b": 2})


def two_sleep(found: list[Seen]) -> bool:
    """Tell whether both programs of STUBBORN are there."""
    return [process.name for process in found].count("sleep") == 2


async def test_killed_run_keeps_its_cost_and_leaves_no_process(parts: Parts):
    """Issue 2, 8: interrupt first, so that what it cost is known."""
    parts.api.script = call_then_hang
    run = a_run(model="claude-sonnet-5-5")
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner() as runner:
            await runner.submit(run)
            await parts.api.wait_for_request(2)
            ended = await runner.kill(run.id, "Not needed any more.")
    assert (ended.status, ended.error) == (RunStatus.CANCELLED, "Not needed any more.")
    assert ended.cost_micro_usd
    assert ended.input_tokens
    assert processes_of(parts.home) == []


async def test_kill_ends_what_the_shell_started_and_hid(parts: Parts):
    """Ours: programs that ignore signals or leave the session end with the run."""
    parts.api.script = lambda _: Call("Bash", {"command": STUBBORN})
    run = a_run(tools=("Bash",))
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner() as runner:
            await runner.submit(run)
            await parts.api.wait_for_request()
            await until_processes(parts.home, two_sleep)
            ended = await runner.kill(run.id)
    assert ended.status is RunStatus.CANCELLED
    assert processes_of(parts.home) == []


async def test_background_program_ends_with_a_run_that_succeeds(parts: Parts):
    """Ours: a run is over when it is over, and its files are safe before its folder goes."""
    parts.api.script = _start_a_daemon
    shelf = WatchedShelf(parts)
    run = await parts.execute(a_run(tools=("Bash",)), shelf=shelf)
    assert run.status is RunStatus.SUCCEEDED
    assert shelf.marked == [True]
    assert processes_of(parts.home) == []


async def test_kill_during_the_start_ends_the_run(parts: Parts):
    """Ours: a run can be killed before its CLI has said a word."""
    run = a_run()
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner() as runner:
            await runner.submit(run)
            await until_processes(parts.home, bool)
            ended = await runner.kill(run.id)
    assert ended.status is RunStatus.CANCELLED
    assert parts.api.requests == []
    assert processes_of(parts.home) == []


@pytest.mark.full
async def test_kill_ends_a_cli_that_does_not_answer(parts: Parts):
    """Issue 7, 2: interrupt, then cancel, then the kill of the group."""
    parts.api.script = lambda _: Hang()
    run = a_run()
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner() as runner:
            await runner.submit(run)
            await parts.api.wait_for_request()
            cli = next(item for item in processes_of(parts.home) if item.name == "claude")
            os.kill(cli.pid, signal.SIGSTOP)
            ended = await runner.kill(run.id)
    assert (ended.status, ended.error) == (RunStatus.CANCELLED, "Killed on request.")
    assert processes_of(parts.home) == []


async def test_kill_does_not_wait_for_a_server_that_is_still_starting(parts: Parts):
    """Ours: a run that still waits for its servers ends at once."""
    asked = anyio.Event()

    async def never(servers: tuple[str, ...]) -> None:
        asked.set()
        await anyio.sleep_forever()

    parts.gate.ready = never
    run = a_run()
    with anyio.fail_after(PATIENCE_S):
        async with parts.runner() as runner:
            await runner.submit(run)
            await asked.wait()
            ended = await runner.kill(run.id)
    assert (ended.status, ended.error) == (RunStatus.CANCELLED, "Killed on request.")
    assert not (parts.home / "runs" / run.id).exists()


async def test_late_run_is_timed_out(parts: Parts):
    """Ours: the time limit ends the work and says so; what earlier attempts took counts."""
    parts.api.script = lambda _: Hang()
    run = await parts.execute(a_run(timeout_s=60.0, worked_ms=54_000))
    assert (run.status, run.error) == (
        RunStatus.TIMED_OUT,
        "Stopped after its time limit of 60 s.",
    )
    assert run.worked_ms >= 60_000
    assert processes_of(parts.home) == []


async def test_dead_cli_fails_the_run_at_once(parts: Parts):
    """Ours: kill -9 of the CLI is noticed, not waited for."""
    parts.api.script = lambda _: Hang()
    run = a_run()
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner() as runner:
            await runner.submit(run)
            await parts.api.wait_for_request()
            cli = next(item for item in processes_of(parts.home) if item.name == "claude")
            os.kill(cli.pid, signal.SIGKILL)
            ended = await runner.wait(run.id)
    assert ended.status is RunStatus.FAILED
    assert ended.error is not None
    assert ended.error.startswith("The Claude CLI ended with exit code 137")


async def test_draining_marks_what_does_not_end_as_interrupted(parts: Parts):
    """Issue 2, 5: at the end of the gateway a live run is marked, a queued one waits."""
    parts.api.script = lambda _: Hang()
    live, queued = a_run(), a_run()
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner(limits=RunLimits(1)) as runner:
            await runner.submit(live)
            await parts.api.wait_for_request()
            await runner.submit(queued)
            await runner.drain(0)
    found = [await parts.store.runs.get(run.id) for run in (live, queued)]
    assert [run and run.status for run in found] == [RunStatus.INTERRUPTED, RunStatus.QUEUED]
    assert processes_of(parts.home) == []


async def test_queued_run_can_be_killed(parts: Parts):
    """Issue 2, 6: kill_run takes pending runs too, and says when there is nothing to kill."""
    run = a_run()
    with anyio.fail_after(PATIENCE_S):
        async with parts.runner(limits=RunLimits(0)) as runner:
            await runner.submit(run)
            ended = await runner.kill(run.id)
            assert (ended.status, ended.error) == (RunStatus.CANCELLED, "Killed on request.")
            with pytest.raises(RunFinished):
                await runner.kill(run.id)
            with pytest.raises(RunNotFound):
                await runner.kill("run_unknown")


def _start_a_daemon(request: ModelRequest) -> Reply:
    if request.tool_results:
        return Say("started")
    return Call("Bash", {"command": "setsid sleep 313 >/dev/null 2>&1 & echo started >report"})
