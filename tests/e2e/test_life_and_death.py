"""The gateway as a process: its children under load, its end, and what its end leaves."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import psutil
import pytest

from gateway.cli.client import request_local
from gateway.local import LiveGateway, find_live
from tests.cli.gateways import COMMAND, END_S, Place, make_place
from tests.e2e.conftest import add_fixed, wait_ready
from tests.relay.conftest import ACCEPT, modern
from tests.waiting import PATIENCE_S, until_seen

pytestmark = pytest.mark.timeout(180)

RAW_SERVER = Path(__file__).parents[1] / "supervisor" / "raw_server.py"
GUARD_S = PATIENCE_S


def place_in(folder: Path) -> Place:
    """Return a home with three raw servers."""
    place = make_place(folder)
    for name in ("a", "b", "c"):
        add_raw(place, name)
    return place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home with three raw servers."""
    return place_in(tmp_path)


@dataclass(frozen=True)
class Troubled:
    """A running gateway with servers that cannot start beside those that can."""

    place: Place
    live: LiveGateway


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Generator[Troubled]:
    """One for the tests that only look."""
    place = place_in(tmp_path_factory.mktemp("troubled"))
    add_raw(place, "exits", "exits")
    add_raw(place, "silent", "silent", start_timeout_s=1)
    add_raw(place, "flood", "flood")
    (place.folder / "fixed" / "broken").mkdir()
    (place.folder / "fixed" / "broken" / "metadata.json").write_text("{", encoding="utf-8")
    with place.gateway() as live:
        wait_ready(live)
        yield Troubled(place, live)


def add_raw(place: Place, name: str, *behaviours: str, **more: object) -> None:
    """Add a raw server as a fixed one."""
    command = [sys.executable, "-S", "-E", str(RAW_SERVER), *behaviours]
    read_only = [str(RAW_SERVER.parent), sys.prefix, sys.base_prefix]
    add_fixed(place, name, {"command": command, "read_only": read_only, **more})


def descendants(pid: int) -> list[psutil.Process]:
    """Return every process below one."""
    return psutil.Process(pid).children(recursive=True)


def all_gone(processes: list[psutil.Process], seconds: float) -> bool:
    """True when none of them runs after this long."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


def call(tool: str, **arguments: object) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a tool call and its headers."""
    body, headers = modern("tools/call", {"name": tool, "arguments": arguments})
    return body, {**ACCEPT, **headers}


def http(live: LiveGateway) -> httpx2.AsyncClient:
    """Return a client with the owner's token."""
    headers = {"Authorization": f"Bearer {live.token}"}
    limits = httpx2.Limits(max_connections=64)
    return httpx2.AsyncClient(
        base_url=live.url, headers=headers, timeout=30, limits=limits, trust_env=False
    )


async def test_kill_9_of_a_child_under_load_costs_only_the_calls_in_flight(place: Place) -> None:
    """Issue: they fail at once with the reason, later calls succeed, no process is left."""
    with place.gateway(HTTP_SERVER="uvicorn") as live:
        wait_ready(live)
        children = [p for p in descendants(live.pid) if "raw_server.py" in " ".join(p.cmdline())]
        assert len([p for p in children if p.name().startswith("python")]) >= 3
        async with http(live) as client:
            outcomes: list[str] = []

            async def ask(tool: str) -> None:
                body, headers = call(tool, steps=10_000)
                answer = (await client.post("/servers/a/mcp", json=body, headers=headers)).json()
                outcomes.append(answer.get("error", {}).get("message", "answered"))

            status = place.json("call", "list_fixed_mcp_servers", "{}")
            pid = next(s["pid"] for s in status["servers"] if s["name"] == "a")
            tree = [psutil.Process(pid), *descendants(pid)]
            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(ask, "wait")
                await in_flight(live, "a", 20)
                os.kill(pid, signal.SIGKILL)
                group.cancel_scope.deadline = anyio.current_time() + GUARD_S
            (outcome,) = set(outcomes)
            assert outcome.startswith("Server 'a' ended during the call: killed by SIGKILL, after ")
            assert len(outcomes) == 20
            await ask("version")
            assert outcomes[-1] == "answered"
            assert all_gone(tree, GUARD_S)


async def in_flight(live: LiveGateway, server: str, count: int) -> None:
    """Return once this many calls are under way."""

    async def reached() -> bool:
        # In a thread: a loop that stands still would let the gateway close what waits in it.
        status = await anyio.to_thread.run_sync(request_local, live, "GET", "status")
        found = next(s for s in status["servers"] if s["name"] == server)
        return found["in_flight"] == count

    await until_seen(reached)


def test_kill_9_of_the_gateway_leaves_no_child(place: Place) -> None:
    """Issue: no child survives 2 s."""
    with place.gateway() as live:
        wait_ready(live)
        below = descendants(live.pid)
        assert len(below) >= 3
        os.kill(live.pid, signal.SIGKILL)
        assert all_gone(below, PATIENCE_S)


def test_term_ends_everything_in_order_and_the_home_is_free_again(place: Place) -> None:
    """Issue: TERM ends within 20 s; the second one carries requests by Hypercorn."""
    with place.cold_gateway(HTTP_SERVER="uvicorn") as live:
        wait_ready(live)
        below = descendants(live.pid)
        os.kill(live.pid, signal.SIGTERM)
        assert all_gone([psutil.Process(live.pid), *below], END_S)
    assert find_live(place.home) is None
    assert not (place.home / "gateway.json").exists()
    with place.gateway() as again:
        assert again.pid != live.pid


async def test_a_second_signal_ends_at_once(place: Place) -> None:
    """Issue: TERM or INT; a second one ends at once."""
    with place.gateway() as live:
        wait_ready(live)
        below = [psutil.Process(live.pid), *descendants(live.pid)]
        async with http(live) as client, anyio.create_task_group() as group:

            async def hang() -> None:
                body, headers = call("wait", steps=100_000)
                with pytest.raises(httpx2.TransportError):
                    await client.post("/servers/a/mcp", json=body, headers=headers)

            group.start_soon(hang)
            await in_flight(live, "a", 1)
            os.kill(live.pid, signal.SIGTERM)

            async def serves() -> bool:
                return (await client.get("/healthz")).status_code == 200

            await until_seen(serves)
            assert psutil.pid_exists(live.pid), "a call in flight is given its time"
            os.kill(live.pid, signal.SIGINT)
        assert all_gone(below, PATIENCE_S)


def test_servers_that_cannot_start_keep_nobody_else_from_starting(troubled: Troubled) -> None:
    """Issue: prints junk, exits at once, never answers: one clear sentence each."""
    listed = troubled.place.json("call", "list_fixed_mcp_servers", "{}")
    found = {s["name"]: s for s in listed["servers"]}
    assert [found[name]["state"] for name in "abc"] == ["ready"] * 3
    assert "exit code 3 before it was ready" in found["exits"]["last_exit"]
    assert "no answer to initialize within 1 s" in found["silent"]["last_exit"]
    assert "a line of more than" in found["flood"]["last_exit"]
    assert any("broken" in problem for problem in listed["problems"])


def test_a_port_in_use_is_named_with_its_holder(troubled: Troubled, tmp_path: Path) -> None:
    """Issue: a sentence with the holder."""
    live = troubled.live
    port = live.url.rpartition(":")[2]
    done = make_place(tmp_path).run("serve", env={"PORT": port})
    assert done.returncode == 2
    assert done.stderr.startswith(f"claude-runner: Port {port} on 127.0.0.1 is in use by ")
    assert f"(pid {live.pid})" in done.stderr


def test_nothing_listens_beyond_loopback(troubled: Troubled) -> None:
    """Issue: everything on 127.0.0.1."""
    bound = psutil.Process(troubled.live.pid).net_connections("inet")
    assert {c.laddr.ip for c in bound if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_a_gateway_started_from_anywhere_keeps_its_home(place: Place) -> None:
    """Issue: the home is never the current folder."""
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    env = {**place.env(), "CLAUDE_RUNNER_HOME": str(place.home)}
    done = subprocess.run(
        [*COMMAND, "token", "list"], cwd=elsewhere, env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(elsewhere.iterdir()) == []
