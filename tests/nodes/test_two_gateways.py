"""Two gateways of their own homes, one PostgreSQL, the real CLI: one is killed, one frozen."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from anyio import to_thread
from psycopg.rows import dict_row

from gateway.domain.job import OnInterrupt
from gateway.local import LiveGateway
from gateway.standin import ModelRequest, Reply, Say, StandIn
from gateway.store import Store
from tests.cli.gateways import Place, make_place
from tests.demonstrations import Counts, Demonstrations
from tests.jobs.parts import CLI_GUARD_S, processes_of
from tests.store import examples

LOOK_EVERY_S = 1.0
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
        with psycopg.connect(self.url) as connection:
            rows = connection.cursor(row_factory=dict_row)
            rows.execute(f"{ROWS} WHERE id = ANY(%s) ORDER BY node", [ids])
            return rows.fetchall()

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


async def until(holds: Callable[[], bool]) -> None:
    """Return when it is so; another process sees to it."""
    with anyio.fail_after(CLI_GUARD_S):
        while not await to_thread.run_sync(holds):  # noqa: ASYNC110 - another process
            await anyio.sleep(LOOK_EVERY_S)


async def begin_two(pair: Pair, store: Store, policy: OnInterrupt) -> list[str]:
    """Store two runs; return their ids once each node has one at work."""
    runs = [examples.run(on_interrupt=policy, timeout_s=CLI_GUARD_S) for _ in range(2)]
    for run in runs:
        await store.runs.add(run)
    ids = [run.id for run in runs]
    await until(lambda: [row["status"] for row in pair.rows(ids)] == ["running", "running"])
    assert [row["node"] for row in pair.rows(ids)] == ["a", "b"]
    return ids


async def kill_one(
    pair: Pair, model: Model, store: Store, second: LiveGateway, *, wait: bool
) -> None:
    """kill -9 of a node in the middle of a run, which is repeated by the other."""
    ids = await begin_two(pair, store, OnInterrupt.RETRY)
    os.kill(second.pid, signal.SIGKILL)
    await until(lambda: processes_of(pair.place("b").home) == [])
    if not wait:
        pair.silence("b")
    model.may.set()
    await until(lambda: {row["status"] for row in pair.rows(ids)} == {"succeeded"})
    rows = pair.rows(ids)
    assert sorted((row["node"], row["attempt"]) for row in rows) == [("a", 1), ("a", 2)]


async def freeze_one(
    pair: Pair, model: Model, store: Store, second: LiveGateway, *, wait: bool
) -> dict[str, Any]:
    """SIGSTOP of a node in the middle of a run; return the run as another node ended it.

    What the frozen one writes when it wakes is refused.
    """
    ids = await begin_two(pair, store, OnInterrupt.MARK)
    (frozen,) = [row["id"] for row in pair.rows(ids) if row["node"] == "b"]
    os.kill(second.pid, signal.SIGSTOP)
    try:
        # It can end nothing; the wrapper of its run can.
        await until(lambda: not processes_of(pair.place("b").home))
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
    return taken


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_what_a_killed_or_frozen_node_had_is_taken_over_once(
    tmp_path: Path, url: str, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue 10, Shows: nothing lost, nothing doubled, and the frozen one writes nothing."""
    rounds, model, full = counts(1, 10), Model(), demonstrations.full
    async with StandIn(model.answer) as api:
        pair = Pair(url, tmp_path, api)
        async with Store.open(url, path=tmp_path / "unused") as store:
            with pair.gateway("a"):
                for _ in range(rounds):
                    with pair.gateway("b") as second:
                        taken = await freeze_one(pair, model, store, second, wait=full)
                        model.hold()
                        await kill_one(pair, model, store, second, wait=full)
                        model.hold()
                        assert pair.rows([taken["id"]]) == [taken]
            # Who ended in order has left; who was killed is remembered.
            assert [node.name for node in await store.nodes.all()] == ["b"]
    demonstrations.record(
        "kill -9 and SIGSTOP of one of two gateways on one PostgreSQL, each in the middle of a run",
        2 * rounds,
        "each run ended once by its policy, none doubled; the frozen one wrote nothing later",
    )
