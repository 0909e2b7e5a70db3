"""kill -9 of a gateway while the real CLI is at work."""

import json
import operator
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process

from gateway.domain.job import OnInterrupt
from gateway.domain.run import Run, RunStatus
from gateway.jobs.attempt import RESUMED
from gateway.jobs.ending import INTERRUPTED
from gateway.jobs.folders import folders_of, make_folders
from gateway.run_files.shelf import mark_beginning
from gateway.standin import Call, Hang, ModelRequest, Reply, Say
from tests.jobs.parts import CLI_GUARD_S, Parts, Seen, WatchedShelf, a_run, until_processes
from tests.waiting import PATIENCE_S, until

CHECKOUT = Path(__file__).parents[2]
GATEWAY = Path(__file__).with_name("doomed_gateway.py")
GATEWAY_DEATH_S = PATIENCE_S
"""Issue 2 says 2 s, this is a guard for a busy machine; what outlives us sleeps for 313 s."""
STUBBORN = "(trap '' TERM HUP INT; setsid sleep 313 & sleep 313)"


@asynccontextmanager
async def doomed_gateway(parts: Parts) -> AsyncIterator[Process]:
    """Give a gateway over the home of `parts`, a process of its own; it is killed at the end."""
    order = json.dumps({"home": str(parts.home), "api": parts.api.url})
    async with await anyio.open_process(
        [sys.executable, str(GATEWAY), order], env={"PYTHONPATH": str(CHECKOUT)}, stderr=None
    ) as gateway:
        yield gateway
        gateway.kill()
    with anyio.fail_after(GATEWAY_DEATH_S):
        await until_processes(parts.home, operator.not_)


async def after(parts: Parts, runs: Iterable[Run], **changes: Any) -> list[Run]:
    """Return the runs once the next gateway has let all of them end."""
    async with parts.runner(**changes) as runner:
        return [await runner.wait(run.id) for run in runs]


def two_sleep(found: list[Seen]) -> bool:
    """Tell whether both programs of STUBBORN are there."""
    return [process.name for process in found].count("sleep") == 2


async def killed_when_stored(parts: Parts, shelf: WatchedShelf) -> Run:
    """Return a run whose gateway died between the storing of its files and that of its end."""
    run = a_run(status=RunStatus.RUNNING, attempt=1)
    await parts.store.runs.add(run)
    folders = folders_of(parts.home, run)
    make_folders(folders)
    beginning = mark_beginning(folders.began_file)
    (folders.work / "report").write_text("done", "utf-8")
    left = await shelf.take(run.id, 1, folders.work, beginning)
    assert left is not None
    await shelf.put(left)
    (folders.work / "report").write_text("another run's", "utf-8")
    return run


@pytest.mark.timeout(2 * CLI_GUARD_S)
async def test_killed_gateway_takes_its_runs_along_and_the_next_one_marks_them(parts: Parts):
    """Issue 2: no process outlives kill -9 of the gateway by 2 s; no run is lost."""
    parts.api.script = lambda _: Call("Bash", {"command": f"echo half > report; {STUBBORN}"})
    run = a_run(tools=("Bash",))
    await parts.store.runs.add(run)
    with anyio.fail_after(CLI_GUARD_S):
        async with doomed_gateway(parts):
            await until_processes(parts.home, two_sleep)
        shelf = WatchedShelf(parts)
        stored = await killed_when_stored(parts, shelf)
        found, _ = await after(parts, [run, stored], shelf=shelf)
    assert (found.status, found.error, found.attempt) == (RunStatus.INTERRUPTED, INTERRUPTED, 1)
    assert list((parts.home / "runs").iterdir()) == []
    (left,) = await parts.store.run_files.of_run(run.id)
    assert (left.path, left.size, left.kept) == ("report", 5, True)
    assert shelf.marked == [True, True]
    (kept,) = await parts.store.run_files.of_run(stored.id)
    with open(shelf.open(kept), "rb") as file:  # noqa: PTH123 - a descriptor
        assert file.read() == b"done"


@pytest.mark.timeout(2 * CLI_GUARD_S)
async def test_interrupted_conversation_goes_on_where_it_was(parts: Parts):
    """Issue 7, 2 (resume): the model sees what it had done before the gateway was killed."""
    parts.api.script = _hang_until_resumed
    run = a_run(tools=("Bash",), on_interrupt=OnInterrupt.RESUME)
    await parts.store.runs.add(run)
    with anyio.fail_after(CLI_GUARD_S):
        async with doomed_gateway(parts):
            await parts.api.wait_for_request(2)
            # The CLI asks the model before it has written down what its tool returned.
            await until(lambda: _written(parts.home, "tool_result"), CLI_GUARD_S)
        (found,) = await after(parts, [run])
    assert (found.status, found.attempt) == (RunStatus.SUCCEEDED, 2)
    assert found.output is not None
    assert "first half" in found.output
    messages = await parts.store.runs.messages(run.id)
    assert [message.seq for message in messages] == list(range(len(messages)))
    assert list((parts.home / "runs").iterdir()) == []


def _written(home: Path, text: str) -> bool:
    """Tell whether a conversation under `home` holds a text."""
    return any(text in path.read_text("utf-8") for path in home.rglob("*.jsonl"))


_ECHO = Call("Bash", {"command": "echo first half"})


def _hang_until_resumed(request: ModelRequest) -> Reply:
    if RESUMED in json.dumps(request.body, ensure_ascii=False):
        return Say(f"before: {request.tool_results}")
    return Hang() if request.tool_results else _ECHO
