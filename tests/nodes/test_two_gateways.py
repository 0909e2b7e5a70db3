"""Two gateways of their own homes, one PostgreSQL, the real CLI: one is killed, one frozen."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from anyio import to_thread
from psycopg.rows import dict_row

from gateway.cli.call import value_of
from gateway.cli.client import call_tool
from gateway.local import LiveGateway
from gateway.standin import ModelRequest, Reply, Say, StandIn
from tests.cli.gateways import Place, make_place
from tests.demonstrations import Counts, Demonstrations
from tests.jobs.parts import CLI_GUARD_S, processes_of

LOOK_EVERY_S = 0.2
ROWS = "SELECT id, node, status, attempt, output, error, cost_micro_usd, session_id FROM runs"


@dataclass
class Model:
    """Answers once it may."""

    may: anyio.Event = field(default_factory=anyio.Event)

    def answer(self, _: ModelRequest) -> Reply:
        """Say one text, whose end waits."""
        return Say("done", hold=self.may)

    def hold(self) -> None:
        """Let no further answer end."""
        self.may = anyio.Event()


@dataclass(frozen=True)
class Pair:
    """Two places, and what both use."""

    url: str
    folder: Path
    api: StandIn

    def place(self, name: str) -> Place:
        """Return the place of a node."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            return make_place(folder)
        return Place(folder)

    def gateway(self, name: str) -> AbstractContextManager[LiveGateway]:
        """Give the gateway of a node, which executes one run at a time."""
        return self.place(name).gateway(
            ANTHROPIC_API_KEY="sk-ant-of-this-test",
            ANTHROPIC_BASE_URL=self.api.url,
            DATABASE_URL=self.url,
            MASTER_KEY="5a" * 32,
            NODE_NAME=name,
            RUN_CONCURRENCY="1",
            SANDBOX="off",
        )

    def rows(self, ids: list[str]) -> list[dict[str, Any]]:
        """Return these runs as they lie in the database, by node."""
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            found = connection.execute(f"{ROWS} WHERE id = ANY(%s) ORDER BY node", [ids])
            return found.fetchall()

    def count_messages(self, run_id: str) -> int:
        """Return how long a transcript is."""
        with psycopg.connect(self.url) as connection:
            statement = "SELECT count(*) FROM run_messages WHERE run_id = %s"
            row = connection.execute(statement, [run_id]).fetchone()
        assert row is not None
        return row[0]

    def silence(self, name: str) -> None:
        """Have a node be one that was last heard of long ago."""
        with psycopg.connect(self.url) as connection:
            connection.execute("UPDATE nodes SET beat_at = 0 WHERE name = %s", [name])

    def is_silent(self, name: str) -> bool:
        """Tell whether a node has not beaten since it was silenced."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute(
                "SELECT 1 FROM nodes WHERE name = %s AND beat_at = 0", [name]
            )
            return found.fetchone() is not None


async def call(live: LiveGateway, tool: str, **arguments: object) -> Any:
    """Call a management tool that must succeed."""
    return value_of(await to_thread.run_sync(call_tool, live, "/mcp", tool, arguments))


async def until(holds: Callable[[], bool]) -> None:
    """Return when it is so; another process sees to it."""
    with anyio.fail_after(CLI_GUARD_S):
        while not await to_thread.run_sync(holds):  # noqa: ASYNC110 - another process
            await anyio.sleep(LOOK_EVERY_S)


async def begin_two(pair: Pair, live: LiveGateway, policy: str) -> list[str]:
    """Start two runs through one gateway; return their ids once each node has one at work."""
    job = await call(
        live, "create_job", name=policy, prompt="Say it.", cron="0 0 1 1 *", concurrency=2,
        overlap="allow", on_interrupt=policy, timeout_s=CLI_GUARD_S,
    )  # fmt: skip
    ids = [(await call(live, "trigger_job", job_id=job["job"]["id"]))["run_id"] for _ in range(2)]
    await until(lambda: [row["status"] for row in pair.rows(ids)] == ["running", "running"])
    assert [row["node"] for row in pair.rows(ids)] == ["a", "b"]
    return ids


async def kill_one(
    pair: Pair, model: Model, first: LiveGateway, second: LiveGateway, *, wait: bool
):
    """kill -9 of a node in the middle of a run, which is repeated by the other."""
    ids = await begin_two(pair, first, "retry")
    os.kill(second.pid, signal.SIGKILL)
    await until(lambda: processes_of(pair.place("b").home) == [])
    if not wait:
        pair.silence("b")
    model.may.set()
    await until(lambda: {row["status"] for row in pair.rows(ids)} == {"succeeded"})
    rows = pair.rows(ids)
    assert sorted((row["node"], row["attempt"]) for row in rows) == [("a", 1), ("a", 2)]


async def freeze_one(
    pair: Pair, model: Model, first: LiveGateway, second: LiveGateway, *, wait: bool
):
    """SIGSTOP of a node in the middle of a run; what it writes when it wakes is refused."""
    ids = await begin_two(pair, first, "mark")
    (frozen,) = [row["id"] for row in pair.rows(ids) if row["node"] == "b"]
    os.kill(second.pid, signal.SIGSTOP)
    try:
        if not wait:
            pair.silence("b")
        await until(lambda: pair.rows([frozen])[0]["status"] == "interrupted")
        pair.silence("b")
        taken = pair.rows([frozen])[0]
        assert taken["error"] == "Node b was lost before the run ended."
        messages = pair.count_messages(frozen)
        model.may.set()
        await until(
            lambda: {row["status"] for row in pair.rows(ids)} == {"interrupted", "succeeded"}
        )
    finally:
        os.kill(second.pid, signal.SIGCONT)
    await until(lambda: not pair.is_silent("b") and not processes_of(pair.place("b").home))
    assert (pair.rows([frozen]), pair.count_messages(frozen)) == ([taken], messages)


@pytest.mark.timeout(0)
async def test_what_a_killed_or_frozen_node_had_is_taken_over_once(
    tmp_path: Path, url: str, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue 10, Shows: nothing lost, nothing doubled, and the frozen one writes nothing."""
    rounds, model = counts(1, 10), Model()
    async with StandIn(model.answer) as api:
        pair = Pair(url, tmp_path, api)
        with ExitStack() as stack:
            first = stack.enter_context(pair.gateway("a"))
            for act in (kill_one, freeze_one) * rounds:
                model.hold()
                with pair.gateway("b") as second:
                    await act(pair, model, first, second, wait=demonstrations.full)
            listed = await call(first, "list_nodes")
    assert [node["name"] for node in listed["nodes"] if node["state"] == "active"] == ["a"]
    demonstrations.record(
        "kill -9 and SIGSTOP of one of two gateways on one PostgreSQL, each in the middle of a run",
        2 * rounds,
        "each run ended once by its policy, none doubled; the frozen one wrote nothing later",
    )
