"""A server that nobody calls costs nothing; its next call finds it."""

from pathlib import Path

import anyio
import pytest

from supervisor.children.call import Notice
from supervisor.errors import ServerUnavailable
from supervisor.events import ChildSpawned, ServerState
from supervisor.folders.catalog import IDLE_STOP_S, read_server
from supervisor.spec import ServerKind, ServerSpec, StartTime
from tests.supervisor.conftest import Stage, open_stage, raw_spec

SOON_S = 0.05


def lazy(*behaviours: str, idle_stop_s: float | None = SOON_S) -> ServerSpec:
    """Return a lazy server that is soon idle."""
    return raw_spec("raw", *behaviours, start=StartTime.LAZY, idle_stop_s=idle_stop_s)


async def asleep(stage: Stage) -> None:
    """Return once the server is stopped for being idle."""
    seen = await stage.until_state("raw", ServerState.STOPPED)
    assert (seen.reason, seen.pid) == ("starts with its next call", None)


async def test_an_idle_child_is_stopped_and_its_tools_stay(stage: Stage) -> None:
    """Issue 4: idle stop; the state says so, the cached tools stay listed."""
    await stage.start(lazy())
    listed = stage.supervisor.snapshot("raw").tools
    await asleep(stage)
    assert listed
    assert stage.supervisor.snapshot("raw").tools == listed
    assert await stage.call("raw", "version") == "1"


async def test_a_hundred_first_callers_share_one_start(stage: Stage) -> None:
    """Issue 4: single flight."""
    await stage.start(lazy(idle_stop_s=0.2))
    await asleep(stage)
    answers: list[str] = []

    async def call() -> None:
        answers.append(await stage.call("raw", "version"))

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(call)
    assert answers == ["1"] * 100
    assert len(stage.said(ChildSpawned)) == 2


async def test_a_child_with_a_call_in_flight_is_not_idle(stage: Stage) -> None:
    """Ours: a long call is no silence."""
    await stage.start(lazy())
    assert await stage.call("raw", "wait", steps=10, each_s=SOON_S) == "waited 10 version 1"
    assert len(stage.said(ChildSpawned)) == 1


async def test_calls_at_the_edge_of_idleness_never_fail(stage: Stage) -> None:
    """Ours: a call that comes while the child is being stopped waits for the next child."""
    await stage.start(lazy(idle_stop_s=0.001))
    for _ in range(5):
        await stage.until_state("raw", ServerState.STOPPING)
        assert await stage.call("raw", "version") == "1"


async def test_a_lazy_server_is_started_once_to_learn_its_tools_and_then_by_calls(
    tmp_path: Path,
) -> None:
    """Issue 4: lazy where the tools of the same code are known, eager to learn them."""
    async with open_stage(tmp_path) as stage:
        listed = (await stage.start(lazy(idle_stop_s=None))).tools
        assert len(stage.said(ChildSpawned)) == 1
    async with open_stage(tmp_path) as stage:
        seen = await stage.start(lazy(idle_stop_s=None))
        assert (seen.state, seen.tools) == (ServerState.STOPPED, listed)
        assert stage.said(ChildSpawned) == []
        assert await stage.call("raw", "version") == "1"
    async with open_stage(tmp_path) as stage:
        await stage.start(lazy("version=2", idle_stop_s=None))
        assert len(stage.said(ChildSpawned)) == 1


async def test_a_sleeping_server_that_is_switched_off_stays_off(stage: Stage) -> None:
    """Ours: a call wakes what is switched on, and nothing else."""
    await stage.start(lazy())
    await asleep(stage)
    await stage.supervisor.disable("raw")
    with pytest.raises(ServerUnavailable) as refused:
        await stage.call("raw", "version")
    assert refused.value.state == ServerState.DISABLED
    await stage.supervisor.enable("raw")
    assert await stage.call("raw", "version") == "1"


async def test_a_call_that_woke_a_server_does_not_outlast_its_switch(stage: Stage) -> None:
    """Ours: a server that is switched off while a call waits for it is not started by that call."""
    await stage.start(lazy())
    await asleep(stage)
    refused: list[str] = []

    async def call() -> None:
        try:
            await stage.call("raw", "version")
        except ServerUnavailable as error:
            refused.append(error.state)

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        group.start_soon(stage.supervisor.disable, "raw")
    assert stage.supervisor.snapshot("raw").state is ServerState.DISABLED
    assert stage.supervisor.snapshot("raw").pid is None


async def test_listeners_are_told_when_new_code_has_other_tools(stage: Stage) -> None:
    """Issue 4: list_changed when names or schemas changed, and only then."""
    heard: list[str] = []
    stage.supervisor.listen(lambda server, notice: heard.append(_text(server, notice)))
    await stage.start(raw_spec("raw"))
    await stage.supervisor.apply(raw_spec("raw", "version=2"), enabled=True)
    assert heard == []
    await stage.supervisor.apply(raw_spec("raw", "fewer"), enabled=True)
    assert heard == ["raw notifications/tools/list_changed"]


def _text(server: str, notice: Notice) -> str:
    return f"{server} {notice.method}"


@pytest.mark.parametrize(
    ("kind", "metadata", "start", "idle_stop_s"),
    [
        (ServerKind.FIXED, "{}", StartTime.EAGER, None),
        (ServerKind.DYNAMIC, "{}", StartTime.LAZY, IDLE_STOP_S),
        (ServerKind.DYNAMIC, '{"start": "eager", "idle_stop_s": 0}', StartTime.EAGER, None),
        (ServerKind.FIXED, '{"start": "lazy", "idle_stop_s": 60}', StartTime.LAZY, 60.0),
    ],
)
def test_fixed_servers_stay_and_dynamic_ones_come_when_they_are_called(
    tmp_path: Path, kind: ServerKind, metadata: str, start: StartTime, idle_stop_s: float | None
) -> None:
    """Issue 4: the defaults of `start` and `idle_stop_s`, and that both can be said."""
    folder = tmp_path / "clock"
    folder.mkdir()
    (folder / "server.py").write_text("pass\n", "utf-8")
    (folder / "metadata.json").write_text(metadata, "utf-8")
    spec = read_server(folder, kind)
    assert (spec.start, spec.idle_stop_s) == (start, idle_stop_s)
