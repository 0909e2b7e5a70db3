"""What sessions want to be told of: changed lists, resources, the log; and how sessions end."""

import json
import os
import signal
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from gateway.relay.sessions import IDLE_S, MAX_SESSIONS, STREAM_QUEUE, Session, Sessions
from supervisor.slots.levels import at_least
from tests.relay.callers import CallerOf, session, talking
from tests.relay.conftest import Relay, serve_relay
from tests.supervisor.conftest import open_stage
from tests.waiting import until_seen

UPDATED = "notifications/resources/updated"


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Relay]:
    """A relay; each test starts a server of its own name."""
    async with open_stage(tmp_path_factory.mktemp("home")) as stage, serve_relay(stage) as served:
        yield served


async def asked(caller: CallerOf, method: str) -> list[Any]:
    """Return the params of every request of one method that the child was sent."""
    return [m["params"] for m in await caller.told() if m.get("method") == method]


async def until_asked(caller: CallerOf, method: str, number: int) -> list[Any]:
    """Return the params once so many were sent."""

    async def enough() -> bool:
        return len(await asked(caller, method)) >= number

    await until_seen(enough)
    return await asked(caller, method)


async def test_a_changed_list_is_told_on_every_open_stream(relay: Relay) -> None:
    """MCP 2025-11-25: list_changed is unsolicited."""
    await relay.stage.start(talking("lists"))
    first, second = await session(relay, "lists"), await session(relay, "lists", token="other")
    method = "notifications/prompts/list_changed"
    async with first.listening() as one, second.listening() as two:
        await first.call("say", method=method)
        assert [(await stream.next())["method"] for stream in (one, two)] == [method, method]


async def test_updates_go_to_who_follows_the_resource_and_the_child_is_asked_once(
    relay: Relay,
) -> None:
    """Research A.4: counted by URI; first and last only."""
    await relay.stage.start(talking("files"))
    first, second = await session(relay, "files"), await session(relay, "files")
    for caller in (first, second, first):
        answer = await caller.ask("resources/subscribe", {"uri": "test://a"})
        assert answer["result"] == {}
    assert (await second.ask("resources/subscribe", {"uri": "test://b/"}))["result"] == {}
    assert await asked(first, "resources/subscribe") == [{"uri": "test://a"}, {"uri": "test://b/"}]
    async with first.listening() as one, second.listening() as two:
        for uri in ("test://c", "test://b/part", "test://a"):
            await first.call("say", method=UPDATED, params={"uri": uri})
        assert (await one.next())["params"] == {"uri": "test://a"}
        assert (await two.next())["params"] == {"uri": "test://b/part"}
        assert (await two.next())["params"] == {"uri": "test://a"}
    await first.ask("resources/unsubscribe", {"uri": "test://a"})
    assert await asked(first, "resources/unsubscribe") == []
    await second.end()
    gone = await until_asked(first, "resources/unsubscribe", 2)
    assert sorted(params["uri"] for params in gone) == ["test://a", "test://b/"]


async def test_the_child_logs_for_the_most_curious_and_each_session_reads_its_own_level(
    relay: Relay,
) -> None:
    """Research A.4: the effective level is the most verbose one."""
    await relay.stage.start(talking("logs"))
    curious, calm, deaf = [await session(relay, "logs") for _ in range(3)]
    await calm.ask("logging/setLevel", {"level": "error"})
    await curious.ask("logging/setLevel", {"level": "debug"})
    assert await asked(deaf, "logging/setLevel") == [{"level": "error"}, {"level": "debug"}]
    async with (
        anyio.create_task_group() as group,
        curious.listening() as one,
        calm.listening() as two,
    ):
        group.start_soon(deaf.call, "wait")
        await relay.stage.until(lambda: relay.stage.supervisor.snapshot("logs").in_flight == 1)
        for level in ("info", "error"):
            await calm.call("log", level=level, data=level)
        assert [(await one.next())["params"]["level"] for _ in range(2)] == ["info", "error"]
        assert (await two.next())["params"]["level"] == "error"
        await calm.call("release")
    await curious.end()
    assert (await until_asked(deaf, "logging/setLevel", 3))[-1] == {"level": "error"}


async def test_a_message_of_the_only_call_in_flight_is_its_callers_alone(relay: Relay) -> None:
    """Ours: as directly, on the stream of the request that it belongs to."""
    await relay.stage.start(talking("mine"))
    caller, other = await session(relay, "mine"), await session(relay, "mine")
    await other.ask("logging/setLevel", {"level": "debug"})
    async with other.listening() as stream:
        async with caller.calling("log", level="info", data="mine") as messages:
            assert (await messages.next())["params"] == {"level": "info", "data": "mine"}
        await other.call("say", method="notifications/prompts/list_changed")
        assert (await stream.next())["method"] == "notifications/prompts/list_changed"


@pytest.mark.parametrize("how", ["crash", "reload"])
async def test_wishes_are_made_known_to_the_next_child(relay: Relay, how: str) -> None:
    """Research A.4: a session outlives the child."""
    name = f"wishes-{how}"
    await relay.stage.start(talking(name))
    caller = await session(relay, name)
    await caller.ask("resources/subscribe", {"uri": "test://a"})
    await caller.ask("logging/setLevel", {"level": "notice"})
    pid = relay.stage.supervisor.snapshot(name).pid
    assert pid is not None
    if how == "crash":
        os.kill(pid, signal.SIGKILL)
        await relay.stage.until(lambda: relay.stage.supervisor.snapshot(name).restarts == 1)
    else:
        await relay.stage.supervisor.apply(talking(name, "version=2"), enabled=True)
    assert await until_asked(caller, "resources/subscribe", 1) == [{"uri": "test://a"}]
    assert await asked(caller, "logging/setLevel") == [{"level": "notice"}]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("logging/setLevel", {"level": "loud"}),
        ("logging/setLevel", {}),
        ("resources/subscribe", {"uri": 5}),
        ("resources/unsubscribe", {}),
    ],
)
async def test_a_wish_that_cannot_be_read_is_refused(
    relay: Relay, method: str, params: object
) -> None:
    """MCP 2025-11-25, server/utilities/logging: -32602."""
    if "lists" not in relay.stage.supervisor.names:
        await relay.stage.start(talking("lists"))
    caller = await session(relay, "lists")
    assert (await caller.ask(method, params))["error"]["code"] == -32602


async def test_completion_and_pages_reach_the_child_as_they_are(relay: Relay) -> None:
    """Research A.4: everything else passes untouched."""
    if "lists" not in relay.stage.supervisor.names:
        await relay.stage.start(talking("lists"))
    caller = await session(relay, "lists")
    params = {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "x"}}
    assert (await caller.ask("completion/complete", params))["result"] == {}
    assert (await caller.ask("tools/list", {"cursor": "next/1=="}))["result"]["tools"]
    assert await asked(caller, "completion/complete") == [params]
    assert {"cursor": "next/1=="} in await asked(caller, "tools/list")


def test_levels_are_those_of_syslog() -> None:
    """RFC 5424, section 6.2.1."""
    assert at_least("emergency", "debug")
    assert at_least("info", "info")
    assert not at_least("debug", "info")
    assert not at_least(json.loads("{}"), "debug")


async def test_a_session_that_nobody_uses_ends_and_is_told_of() -> None:
    """Research A.4: idle expiry; what it holds is let go."""
    clock, ended = [0.0], list[Session]()
    sessions = Sessions(lambda: clock[0], ended.append)
    used, unused, open_one = [sessions.open("s", "o", {}) for _ in range(3)]
    open_one.open_stream()
    clock[0] = IDLE_S
    assert sessions.find(used.id, "s", "o") is used
    clock[0] = IDLE_S + 1
    sessions.end_idle()
    assert ended == [unused]
    assert sessions.find(open_one.id, "s", "o") is open_one
    sessions.end_all()
    assert ended == [unused, used, open_one]


async def test_sessions_are_bounded_and_the_one_unused_for_longest_goes() -> None:
    """Ours: hosted clients abandon nearly all of theirs."""
    ended = list[Session]()
    instants = iter(range(MAX_SESSIONS + 2))
    sessions = Sessions(lambda: float(next(instants)), ended.append)
    first = sessions.open("s", "o", {})
    for _ in range(MAX_SESSIONS):
        sessions.open("s", "o", {})
    assert ended == [first]
    sessions.end_all()


async def test_a_reader_that_does_not_keep_up_misses_messages_and_holds_up_nobody() -> None:
    """Ours: a bounded queue; what is asked on it is refused."""
    sessions = Sessions()
    stalled = sessions.open("s", "o", {})
    assert not stalled.post(b"nobody listens")
    stalled.open_stream()
    assert [stalled.post(b"m") for _ in range(STREAM_QUEUE + 1)] == [True] * STREAM_QUEUE + [False]
    stalled.close()
    sessions.end_all()
