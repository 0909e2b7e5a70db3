"""Real children under the supervisor: starts, calls, deaths, reloads, ends."""

import json
import os
import signal
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import psutil
import pytest

from supervisor.children.call import Notice
from supervisor.errors import (
    CallTimedOut,
    ChildDied,
    NotConfigured,
    RequestRefused,
    ServerUnavailable,
    StartFailed,
    UnknownServer,
)
from supervisor.events import ChildExited, ChildReady, ChildSpawned, Reloaded, ServerState
from supervisor.slots.restart import RestartPolicy
from supervisor.spec import DeclaredCredential, Era, ReloadStrategy
from tests.supervisor.conftest import GUARD_S, Stage, open_stage, raw_spec
from tests.waiting import until


async def gone(pid: int) -> None:
    """Return when a process has ended."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        await until(lambda: process.status() == psutil.STATUS_ZOMBIE)


async def test_a_started_server_is_ready_with_its_tools_and_answers(stage: Stage) -> None:
    """Ours: ready means that handshake and lists were answered."""
    seen = await stage.start(raw_spec("raw"))
    assert (seen.state, seen.era, seen.generation) == (ServerState.READY, Era.HANDSHAKE, 1)
    assert [tool["name"] for tool in seen.tools][:2] == ["echo", "wait"]
    assert json.loads(await stage.call("raw", "echo", a="ü\u2028")) == {"a": "ü\u2028"}


async def test_a_server_that_speaks_only_the_modern_era_is_spoken_to_in_it(stage: Stage) -> None:
    """Design 3.4: handshake where the server speaks it, else modern."""
    seen = await stage.start(raw_spec("raw", "modern"))
    assert (seen.state, seen.era) == (ServerState.READY, Era.MODERN)
    assert await stage.call("raw", "version") == "1"


async def test_calls_in_flight_of_a_killed_child_fail_at_once_and_later_ones_succeed(
    stage: Stage,
) -> None:
    """Issue: in-flight calls fail with the reason, later calls succeed, no process is left."""
    seen = await stage.start(raw_spec("raw"))
    failures: list[ChildDied] = []

    async def call() -> None:
        with pytest.raises(ChildDied) as caught:
            await stage.call("raw", "wait", steps=1000)
        failures.append(caught.value)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(call)
        await stage.until(lambda: stage.supervisor.snapshot("raw").in_flight == 20)
        assert seen.pid is not None
        os.kill(seen.pid, signal.SIGKILL)
    assert {failure.reason for failure in failures} == {"killed by SIGKILL"}
    assert len(failures) == 20
    assert await stage.call("raw", "version") == "1"
    assert seen.pid is not None
    await gone(seen.pid)


async def test_a_dying_child_tells_its_callers_status_and_last_words(stage: Stage) -> None:
    """Design 3.3: exit code and stderr tail go with the failure."""
    await stage.start(raw_spec("raw"))
    with pytest.raises(ChildDied) as caught:
        await stage.call("raw", "die", status=9)
    assert (caught.value.reason, caught.value.stderr_tail) == ("exit code 9", ("last words",))


async def test_an_answer_written_just_before_the_exit_still_arrives(stage: Stage) -> None:
    """Ours: output is read to its end before calls are failed."""
    await stage.start(raw_spec("raw"))
    results: list[object] = []

    async def call(tool: str) -> None:
        try:
            results.append(await stage.call("raw", tool))
        except ChildDied as error:
            results.append(error.reason)

    async with anyio.create_task_group() as group:
        group.start_soon(call, "version")
        group.start_soon(call, "die")
    assert set(results) <= {"1", "exit code 7"}
    assert "exit code 7" in results


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("exits", "exit code 3 before it was ready"),
        ("silent", "no answer to initialize within 0.5 s"),
        ("flood", "stopped because it printed a line of more than 16777216 bytes before it was"),
    ],
)
async def test_a_server_that_cannot_start_says_why(
    stage: Stage, behaviour: str, reason: str
) -> None:
    """Issue: exits at once, never answers, prints junk: one clear sentence each."""
    limit = 0.5 if behaviour == "silent" else GUARD_S
    await stage.supervisor.apply(raw_spec("raw", behaviour, start_timeout_s=limit), enabled=True)
    await stage.until(lambda: stage.supervisor.slot("raw").last_exit is not None)
    assert (stage.supervisor.slot("raw").last_exit or "").startswith(reason)


async def test_lines_that_are_not_mcp_are_skipped_and_shown_only_when_the_start_fails(
    stage: Stage,
) -> None:
    """Research: a stray print must not break a server."""
    seen = await stage.start(raw_spec("raw", "junk"))
    assert seen.state is ServerState.READY
    with pytest.raises(StartFailed, match=r"1 lines that are not MCP.*hello, this is not MCP"):
        await stage.supervisor.apply(
            raw_spec("raw", "junk", "silent", start_timeout_s=5.0), enabled=True
        )


async def test_a_hundred_first_callers_share_one_start(stage: Stage) -> None:
    """Ours: starts are single-flight."""
    await stage.supervisor.apply(raw_spec("raw"), enabled=True)
    answers: list[str] = []

    async def call() -> None:
        answers.append(await stage.call("raw", "version"))

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(call)
    assert answers == ["1"] * 100
    assert len(stage.said(ChildSpawned)) == 1


async def test_a_reload_lets_calls_in_flight_finish_on_the_old_child(stage: Stage) -> None:
    """Design 3.7: new beside old, swap, drain."""
    await stage.start(raw_spec("raw", "version=1"))
    answers: list[str] = []

    async def slow() -> None:
        answers.append(await stage.call("raw", "wait", steps=10))

    async with anyio.create_task_group() as group:
        group.start_soon(slow)
        await stage.until(lambda: stage.supervisor.snapshot("raw").in_flight == 1)
        await stage.supervisor.apply(raw_spec("raw", "version=2"), enabled=True)
        assert await stage.call("raw", "version") == "2"
        assert answers == []
    assert answers == ["waited 10 version 1"]
    assert stage.said(Reloaded)[0].generation == 2
    await stage.until(lambda: len(stage.said(ChildExited)) == 1)
    assert stage.said(ChildExited)[0].calls_failed == 0


async def test_a_failed_reload_keeps_the_old_child_serving(stage: Stage) -> None:
    """Design 3.7: a failure before the swap changes nothing but the report."""
    await stage.start(raw_spec("raw", "version=1"))
    with pytest.raises(StartFailed) as caught:
        await stage.supervisor.apply(raw_spec("raw", "exits"), enabled=True)
    assert caught.value.stderr_tail == ("cannot go on",)
    seen = stage.supervisor.snapshot("raw")
    assert (seen.state, seen.generation, seen.digest) == (ServerState.READY, 1, "version=1")
    assert await stage.call("raw", "version") == "1"


async def test_a_newer_reload_supersedes_one_that_is_under_way(stage: Stage) -> None:
    """Ours: the newest change wins."""
    await stage.start(raw_spec("raw", "version=1"))
    refused: list[str] = []

    async def hanging() -> None:
        with pytest.raises(StartFailed) as caught:
            await stage.supervisor.apply(raw_spec("raw", "silent"), enabled=True)
        refused.append(caught.value.reason)

    async with anyio.create_task_group() as group:
        group.start_soon(hanging)
        await stage.until(lambda: len(stage.said(ChildSpawned)) == 2)
        await stage.supervisor.apply(raw_spec("raw", "version=3"), enabled=True)
    assert refused == ["superseded by a newer change"]
    assert await stage.call("raw", "version") == "3"


async def test_stop_first_never_runs_two_children_at_once(stage: Stage) -> None:
    """Design 3.7: for servers that hold a port, a lock or a profile."""
    spec = raw_spec("raw", reload=ReloadStrategy.STOP_FIRST)
    await stage.start(spec)
    await stage.supervisor.apply(replace(spec, digest="two"), enabled=True)
    kinds = [type(e) for e in stage.events if isinstance(e, ChildSpawned | ChildExited)]
    assert kinds == [ChildSpawned, ChildExited, ChildSpawned]


async def test_too_many_deaths_mean_quarantine_which_refuses_calls_and_new_code_ends_it(
    tmp_path: Path,
) -> None:
    """Design 3.6: a slow retry, never a final death, never a hot loop."""
    policy = RestartPolicy(base_s=0.01, max_deaths=2)
    async with open_stage(tmp_path, restart=policy) as stage:
        await stage.supervisor.apply(raw_spec("raw", "exits"), enabled=True)
        await stage.until_state("raw", ServerState.QUARANTINED)
        with pytest.raises(ServerUnavailable) as caught:
            await stage.call("raw", "version")
        assert caught.value.state == ServerState.QUARANTINED
        assert 200 < (caught.value.retry_after_s or 0) <= 360
        await stage.supervisor.apply(raw_spec("raw", "version=2"), enabled=True)
        assert await stage.call("raw", "version") == "2"


async def test_a_disabled_server_has_no_process_and_says_so(stage: Stage) -> None:
    """Ours."""
    seen = await stage.start(raw_spec("raw"))
    await stage.supervisor.disable("raw")
    assert seen.pid is not None
    assert not psutil.pid_exists(seen.pid)
    with pytest.raises(ServerUnavailable, match="Server 'raw' is disabled"):
        await stage.call("raw", "version")
    await stage.supervisor.enable("raw")
    assert await stage.call("raw", "version") == "1"


async def test_disabling_interrupts_a_start_that_hangs(stage: Stage) -> None:
    """Ours: an order does not wait for the time-out of what it undoes."""
    await stage.supervisor.apply(raw_spec("raw", "silent", start_timeout_s=600.0), enabled=True)
    await stage.until(lambda: len(stage.said(ChildSpawned)) == 1)
    with anyio.fail_after(GUARD_S):
        await stage.supervisor.disable("raw")
    assert stage.supervisor.snapshot("raw").state is ServerState.DISABLED


async def test_a_deaf_child_is_killed_with_all_it_started(stage: Stage) -> None:
    """Design 3.2: close the input, TERM, KILL, always for the group."""
    await stage.start(raw_spec("raw", "deaf"))
    grandchild = int(await stage.call("raw", "spawn"))
    with anyio.fail_after(GUARD_S):
        await stage.supervisor.disable("raw")
    await gone(grandchild)


async def test_grandchildren_die_with_a_child_that_is_killed(stage: Stage) -> None:
    """Ours: the group is signalled before its leader is reaped."""
    seen = await stage.start(raw_spec("raw"))
    grandchild = int(await stage.call("raw", "spawn"))
    assert seen.pid is not None
    os.kill(seen.pid, signal.SIGKILL)
    await gone(grandchild)


async def test_a_child_that_stops_reading_fails_calls_instead_of_filling_memory(
    stage: Stage,
) -> None:
    """Design 3.3: queues are capped."""
    await stage.start(raw_spec("raw", "unread"))
    big = "x" * (8 * 1024 * 1024)
    refused: list[str] = []

    async def call() -> None:
        with pytest.raises(ChildDied) as caught:
            await stage.call("raw", "echo", text=big)
        refused.append(caught.value.reason)

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(call)
    reason = "stopped because it stopped reading: 32 MiB of input wait for it"
    assert refused == [reason] * 6
    await stage.until(lambda: stage.supervisor.snapshot("raw").restarts == 1)


async def test_a_child_without_output_is_ended_and_its_calls_fail(stage: Stage) -> None:
    """Ours: no answer can come any more."""
    await stage.start(raw_spec("raw"))
    with pytest.raises(ChildDied, match="stopped because it closed its standard output"):
        await stage.call("raw", "mute")
    assert await stage.call("raw", "version") == "1"


async def test_trouble_of_one_server_leaves_the_others_alone(stage: Stage) -> None:
    """Ours: a folder that cannot be made is that server's failure and nobody else's."""
    (stage.home / "servers").mkdir()
    (stage.home / "servers" / "raw").write_text("in the way", encoding="utf-8")
    seen = await stage.start(raw_spec("raw"))
    assert seen.state is ServerState.FAILED
    assert "its folders cannot be used" in seen.reason
    assert (await stage.start(raw_spec("other"))).state is ServerState.READY


async def test_a_call_that_takes_too_long_is_cancelled_at_the_child(stage: Stage) -> None:
    """Ours: the error names the method and the limit."""
    await stage.start(raw_spec("raw", call_timeout_s=0.1))
    with pytest.raises(CallTimedOut, match=r"'raw' did not answer tools/call within 0.1 s"):
        await stage.call("raw", "wait", steps=1000)
    assert stage.supervisor.snapshot("raw").in_flight == 0


async def test_an_error_of_the_child_comes_through_as_it_is(stage: Stage) -> None:
    """Design 3.3: unknown methods pass."""
    await stage.start(raw_spec("raw"))
    with pytest.raises(RequestRefused) as caught:
        await stage.supervisor.request("raw", "no/such", {})
    assert (caught.value.code, caught.value.data) == (-32601, "no/such")


async def test_unknown_servers_are_named_with_the_known_ones(stage: Stage) -> None:
    """Issue: one clear sentence."""
    await stage.start(raw_spec("raw"))
    with pytest.raises(UnknownServer, match="no server named 'row'; known servers: raw"):
        await stage.call("row", "version")


async def test_a_child_sees_its_declared_credentials_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Design 3.10: only declared names reach a child; the environment is built from nothing."""
    monkeypatch.setenv("OAUTH_SECRET_KEY", "gateway-secret")
    secrets = {"API_KEY": "declared", "OTHER": "undeclared"}
    async with open_stage(tmp_path, credentials=secrets) as stage:
        spec = raw_spec("raw", credentials=(DeclaredCredential("API_KEY"),))
        await stage.start(spec)
        seen = json.loads(await stage.call("raw", "environment"))
    assert seen["API_KEY"] == "declared"
    assert seen["DATA_DIR"] == str(tmp_path / "servers/raw/data")
    assert "OTHER" not in seen
    assert "gateway-secret" not in seen.values()


async def test_a_missing_required_credential_keeps_the_server_down_with_the_reason(
    stage: Stage,
) -> None:
    """Ours: it is started as soon as somebody orders it again."""
    spec = raw_spec("raw", credentials=(DeclaredCredential("API_KEY"),))
    seen = await stage.start(spec)
    assert seen.state is ServerState.FAILED
    assert seen.reason.startswith("credential API_KEY is not set")
    with pytest.raises(NotConfigured):
        await stage.supervisor.enable("raw")


async def test_a_command_that_does_not_exist_fails_with_its_name(stage: Stage) -> None:
    """Issue: one clear sentence."""
    seen = await stage.start(raw_spec("raw", command=("no-such-program",)))
    assert seen.state is ServerState.FAILED
    assert "no-such-program" in seen.reason


async def test_a_tool_list_that_changes_is_fetched_again(stage: Stage) -> None:
    """MCP: notifications/tools/list_changed."""
    heard: list[str] = []
    stage.supervisor.listen(lambda server, notice: heard.append(f"{server} {notice.method}"))
    await stage.start(raw_spec("raw"))
    await stage.call("raw", "notify")
    await stage.until(lambda: bool(heard))
    assert heard == ["raw notifications/tools/list_changed"]


async def test_a_request_of_the_child_is_refused_and_does_not_touch_our_ids(stage: Stage) -> None:
    """Research A.3.6: the child's ids collide with ours numerically."""
    await stage.start(raw_spec("raw"))
    assert await stage.call("raw", "ask") == "asked"
    assert await stage.call("raw", "version") == "1"


async def test_leaving_the_supervisor_leaves_no_process(tmp_path: Path) -> None:
    """Ours."""
    async with open_stage(tmp_path) as stage:
        async with anyio.create_task_group() as group:
            for name in ("a", "b", "c"):
                group.start_soon(partial(stage.start, raw_spec(name)))
        pids = [event.pid for event in stage.said(ChildReady)]
    assert len(pids) == 3
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert json.loads((tmp_path / "pids.json").read_text(encoding="utf-8")) == []


async def test_progress_puts_the_end_of_a_call_off(stage: Stage) -> None:
    """Ours: a server that tells how far it is has not hung; one that is silent has."""
    await stage.start(raw_spec("a", call_timeout_s=1.0))
    params = {"name": "wait", "arguments": {"steps": 30, "each_s": 0.05}}
    told: list[Notice] = []
    result = await stage.supervisor.request("a", "tools/call", params, on_progress=told.append)
    assert result["content"][0]["text"] == "waited 30 version 1"
    assert len(told) == 30
    with pytest.raises(CallTimedOut):
        await stage.supervisor.request("a", "tools/call", params)
