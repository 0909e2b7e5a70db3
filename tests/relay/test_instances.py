"""`instances: per_session`: every session and every caller without one has a child of its own."""

import os
import signal
from collections.abc import AsyncGenerator, Iterator
from itertools import count
from typing import Any

import psutil
import pytest

from supervisor.slots.instances import InstanceView
from supervisor.spec import Instances, ReloadStrategy, ServerSpec
from supervisor.tenant import caller_tenant
from tests.relay.callers import reply, session, talking, value
from tests.relay.conftest import Relay, modern, request, serve_relay
from tests.supervisor.conftest import open_stage


def own(name: str, *words: str, **changes: Any) -> ServerSpec:
    """Return the spec of a server with an instance for each session."""
    return talking(name, *words, instances=Instances.PER_SESSION, **changes)


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Relay]:
    """A relay without servers; each test starts one of its own name."""
    async with open_stage(tmp_path_factory.mktemp("home")) as stage, serve_relay(stage) as served:
        yield served
        pids = [view.pid for seen in stage.supervisor.snapshots() for view in seen.instances]
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


NAMES = (f"own-{number}" for number in count())


@pytest.fixture
def name() -> Iterator[str]:
    """The name of a server that no other test uses."""
    yield next(NAMES)


def instances(relay: Relay, name: str) -> tuple[InstanceView, ...]:
    """Return the running instances of a server."""
    return relay.stage.supervisor.snapshot(name).instances


async def until_instances(relay: Relay, name: str, number: int) -> None:
    """Return once so many instances run."""
    await relay.stage.until(lambda: len(instances(relay, name)) == number)


async def by_token(relay: Relay, name: str, token: str, tool: str) -> Any:
    """Call a tool as a modern caller, which has no session."""
    body, headers = modern("tools/call", {"name": tool, "arguments": {}})
    sent = {**headers, "Authorization": f"Bearer {token}"}
    return value((await relay.post(name, body, sent)).json())


async def test_two_sessions_do_not_see_each_others_memory(relay: Relay, name: str) -> None:
    """Issue: a server that keeps a session gets a child for each."""
    await relay.stage.start(own(name))
    first, second = await session(relay, name), await session(relay, name)
    assert [await first.call("count") for _ in range(3)] == [1, 2, 3]
    assert await second.call("count") == 1
    seen = relay.stage.supervisor.snapshot(name)
    assert len({view.pid for view in seen.instances} | {seen.pid}) == 3
    assert seen.calls == 4


async def test_an_instance_is_initialised_as_its_own_client_wants_it(
    relay: Relay, name: str
) -> None:
    """Research A.4: the sole session owns what the child may ask."""
    await relay.stage.start(own(name))
    declared = {"roots": {"listChanged": True}, "experimental": {"x": {"y": 1}}}
    caller = await session(relay, name, declared)
    assert (await caller.told())[0]["params"] == {
        "protocolVersion": "2025-11-25",
        "capabilities": declared,
        "clientInfo": {"name": "somebody", "version": "7"},
    }


async def test_an_instance_may_ask_its_session_when_no_call_is_in_flight(
    relay: Relay, name: str
) -> None:
    """Research A.4: on the session's stream."""
    await relay.stage.start(own(name))
    caller = await session(relay, name)
    await caller.ask("logging/setLevel", {"level": "error"})
    await caller.call("ask_soon", method="roots/list", params={})
    async with caller.listening() as stream:
        await caller.call("release")
        asked = await stream.next()
        await caller.post(reply(asked, {"roots": [{"uri": "file:///a"}]}))
        assert (await stream.next())["params"]["data"] == "asked"
    answer = next(message["answer"] for message in await caller.told() if "answer" in message)
    assert answer["result"] == {"roots": [{"uri": "file:///a"}]}


async def test_what_a_child_asks_while_it_starts_waits_for_the_sessions_stream(
    relay: Relay, name: str
) -> None:
    """Ours: servers ask for roots as soon as they are initialised."""
    await relay.stage.start(own(name, "asks-roots"))
    caller = await session(relay, name)
    async with caller.listening() as stream:
        assert (await stream.next())["method"] == "roots/list"


async def test_other_notifications_of_a_client_reach_its_own_child(relay: Relay, name: str) -> None:
    """MCP 2025-11-25, client/roots."""
    await relay.stage.start(own(name))
    first, second = await session(relay, name), await session(relay, name)
    await first.post({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"})
    methods = [message.get("method") for message in await first.told()]
    assert methods.count("notifications/roots/list_changed") == 1
    assert methods.count("notifications/initialized") == 1
    others = [message.get("method") for message in await second.told()]
    assert "notifications/roots/list_changed" not in others


async def test_what_an_instance_tells_reaches_its_own_session_only(relay: Relay, name: str) -> None:
    """Ours."""
    await relay.stage.start(own(name))
    first, second = await session(relay, name), await session(relay, name)
    changed, marked = "notifications/prompts/list_changed", "notifications/tools/list_changed"
    async with first.listening() as mine, second.listening() as others:
        await first.call("say", method=changed)
        await second.call("say", method=marked)
        assert (await mine.next())["method"] == changed
        assert (await others.next())["method"] == marked


async def test_a_session_that_ends_takes_its_instance_along(relay: Relay, name: str) -> None:
    """Ours: DELETE, and a session that nobody used for long."""
    await relay.stage.start(own(name))
    first = await session(relay, name)
    await session(relay, name)
    await until_instances(relay, name, 2)
    pid = instances(relay, name)[0].pid
    await first.end()
    await relay.stage.until(lambda: not psutil.pid_exists(pid))
    assert len(instances(relay, name)) == 1


async def test_callers_without_a_session_have_one_instance_for_each_token(
    relay: Relay, name: str
) -> None:
    """Ours: the modern era has no sessions; a run and a token are what lasts."""
    await relay.stage.start(own(name))
    assert [await by_token(relay, name, "one", "count") for _ in range(2)] == [1, 2]
    assert await by_token(relay, name, "two", "count") == 1
    assert [view.holder for view in instances(relay, name)] == ["token one", "token two"]
    relay.endpoint.forget("one")
    await until_instances(relay, name, 1)
    result = await relay.stage.supervisor.request(
        name,
        "tools/call",
        {"name": "count", "arguments": {}},
        tenant=caller_tenant("token", "two"),
    )
    assert value({"result": result}) == 2


async def test_a_revoked_token_takes_its_sessions_and_their_instances_along(
    relay: Relay, name: str
) -> None:
    """Ours: what it could not use any more would be kept for nobody."""
    await relay.stage.start(own(name))
    kept, revoked = await session(relay, name), await session(relay, name, token="revoked")
    relay.endpoint.forget("revoked")
    await until_instances(relay, name, 1)
    assert (await revoked.post(request("ping"))).status_code == 404
    assert await kept.call("count") == 1


async def test_a_full_server_says_who_holds_its_instances(relay: Relay, name: str) -> None:
    """Ours: bounded, with a sentence that helps."""
    await relay.stage.start(own(name, max_instances=2))
    first = await session(relay, name)
    await by_token(relay, name, "one", "count")
    asked = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    refused = (await relay.post(name, request("initialize", asked))).json()["error"]["message"]
    assert f"session {first.headers['Mcp-Session-Id'][:6]}... of owner, token one" in refused
    assert "max_instances" in refused
    await first.end()
    assert await (await session(relay, name)).call("count") == 1


async def test_a_dead_instance_is_started_anew_with_its_next_call(relay: Relay, name: str) -> None:
    """Ours: as its session was initialised; its report is kept with the server."""
    await relay.stage.start(own(name))
    first, second = await session(relay, name), await session(relay, name)
    await second.call("count")
    died = await first.ask("tools/call", {"name": "die", "arguments": {}})
    assert died["error"]["data"]["reason"] == "exit code 3"
    assert await first.call("count") == 1
    assert await second.call("count") == 2
    assert relay.stage.supervisor.crashes(name)[-1].cause == "exit code 3"
    assert relay.stage.supervisor.snapshot(name).restarts == 1


async def test_sessions_keep_the_code_they_began_with(relay: Relay, name: str) -> None:
    """Ours: new code for new sessions, at once."""
    await relay.stage.start(own(name, "version=1"))
    old = await session(relay, name)
    assert await old.call("count") == 1
    await relay.stage.supervisor.apply(own(name, "version=2"), enabled=True)
    new = await session(relay, name)
    assert (await old.call("version"), await new.call("version")) == ("1", "2")
    assert await old.call("count") == 2
    os.kill(instances(relay, name)[0].pid, signal.SIGKILL)
    await until_instances(relay, name, 1)
    assert await old.call("version") == "2"


async def test_a_server_that_cannot_overlap_ends_its_instances_first(
    relay: Relay, name: str
) -> None:
    """Ours: `reload: stop_first` holds for all of its children."""
    first = own(name, "version=1", reload=ReloadStrategy.STOP_FIRST)
    await relay.stage.start(first)
    caller = await session(relay, name)
    pid = instances(relay, name)[0].pid
    await relay.stage.supervisor.apply(
        own(name, "version=2", reload=ReloadStrategy.STOP_FIRST), enabled=True
    )
    assert not psutil.pid_exists(pid)
    assert await caller.call("version") == "2"


@pytest.mark.parametrize("end", ["disable", "restart", "remove"])
async def test_what_ends_a_server_ends_all_its_instances(relay: Relay, name: str, end: str) -> None:
    """Ours: nothing is left."""
    await relay.stage.start(own(name))
    callers = [await session(relay, name) for _ in range(2)]
    pids = [view.pid for view in instances(relay, name)]
    await getattr(relay.stage.supervisor, end)(name)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    answer = await callers[0].ask("tools/call", {"name": "count", "arguments": {}})
    assert ("result" in answer) is (end == "restart")


async def test_an_idle_instance_is_stopped_and_its_session_gets_a_new_one(
    relay: Relay, name: str
) -> None:
    """Ours: `idle_stop_s` holds for every child."""
    await relay.stage.start(own(name, idle_stop_s=0.3))
    caller = await session(relay, name)
    assert await caller.call("count") == 1
    await until_instances(relay, name, 0)
    assert await caller.call("count") == 1
