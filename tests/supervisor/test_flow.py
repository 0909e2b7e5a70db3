"""A child that says or takes too much is stopped with a reason; its neighbours do not notice."""

import fcntl
import json

import anyio
import pytest

from supervisor.children.flow import Allowance
from supervisor.children.process import LONG_PIPE_BYTES, READ_BYTES
from supervisor.errors import ChildDied
from tests.supervisor.conftest import Stage, raw_spec
from tests.waiting import PATIENCE_S

GUARD_S = PATIENCE_S
"""Of one call to the neighbour."""
FLOOD_S = 90.0
"""Of the flood, on a machine that has other things to do."""
NOTICE = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "a:b"}}
REQUEST = {"jsonrpc": "2.0", "id": 1, "method": "roots/list"}


@pytest.mark.parametrize(
    ("line", "descriptor", "reason"),
    [
        ("", 1, "it printed more than 5000 lines a second that nobody asked for"),
        ("hello", 1, "it printed more than 50 lines a second that are not MCP"),
        (json.dumps(NOTICE), 1, "it sent more than 500 notifications a second"),
        (json.dumps(REQUEST), 1, "it printed more than 5000 lines a second that nobody asked for"),
        ("x" * 100_000, 1, "it printed more than"),
        ("x" * 1000, 2, "it wrote more than 2 MiB a second to standard error"),
    ],
    ids=["empty lines", "junk", "notifications", "requests", "long lines", "standard error"],
)
async def test_a_flood_ends_its_own_child_and_nobody_elses_calls(
    stage: Stage, line: str, descriptor: int, reason: str
) -> None:
    """Issue 5, 7: the reason names the cap, the calls in flight fail with it, it is a crash."""
    await stage.start(raw_spec("flood"))
    await stage.start(raw_spec("neighbour"))
    caught: list[ChildDied] = []

    async def flood() -> None:
        with pytest.raises(ChildDied) as error:
            await stage.call("flood", "pour", line=line, descriptor=descriptor)
        caught.append(error.value)

    answered = 0
    with anyio.fail_after(FLOOD_S):
        async with anyio.create_task_group() as group:
            group.start_soon(flood)
            while not caught:
                with anyio.fail_after(GUARD_S):
                    assert await stage.call("neighbour", "version") == "1"
                answered += 1
    assert answered
    assert caught[0].reason.startswith(f"stopped because {reason}")
    await stage.until(lambda: stage.supervisor.snapshot("flood").restarts == 1)
    crash = stage.supervisor.crashes("flood")[-1]
    assert (crash.cause, crash.calls_failed) == (caught[0].reason, 1)
    assert stage.supervisor.snapshot("neighbour").restarts == 0


async def test_as_many_lines_as_were_asked_for_are_free(stage: Stage) -> None:
    """Ours: a busy server is no flood."""
    await stage.start(raw_spec("raw"))
    for _ in range(3):
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(stage.call, "raw", "version")
    assert stage.supervisor.snapshot("raw").restarts == 0


def test_an_allowance_fills_again_and_holds_no_more_than_its_burst() -> None:
    """Ours."""
    allowance = Allowance(per_s=10, at_once=20)
    assert [allowance.take(10, 100.0) for _ in range(3)] == [True, True, False]
    assert [allowance.take(5, 100.5), allowance.take(1, 100.5)] == [True, False]
    assert [allowance.take(20, 1000.0), allowance.take(1, 1000.0)] == [True, False]


async def test_a_child_that_fills_its_pipe_gets_a_longer_one(stage: Stage) -> None:
    """Ours: a long answer takes fewer turns; who writes little takes no memory of the kernel's."""
    await stage.start(raw_spec("raw"))
    process = (await stage.supervisor.slot("raw").child_for_call()).process

    def length() -> int:
        return fcntl.fcntl(process._stdout_fd, fcntl.F_GETPIPE_SZ)  # pyright: ignore[reportPrivateUsage] - nothing else shows it

    await stage.call("raw", "version")
    assert length() == READ_BYTES
    word = "x" * (4 * READ_BYTES)
    assert word in await stage.call("raw", "echo", word=word)
    assert length() == LONG_PIPE_BYTES
