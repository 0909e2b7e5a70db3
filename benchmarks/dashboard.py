"""What the dashboard costs with 500 servers and 100,000 runs: a page, open tabs, a crash.

`python -m benchmarks.dashboard` prints one JSON object. The store is a real one; the servers are
snapshots, for 500 processes would be measured otherwise.
"""

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from gateway.dashboard.work import Runs, StoredWork, Waiting
from gateway.domain.budget import Day
from gateway.domain.run import RunResult, RunStatus
from gateway.store import Store
from supervisor.events import ServerState, StateChanged
from tests.dashboard.parts import METRICS, SNAPSHOT, Shown, sign_in
from tests.store.examples import job, run

SERVERS, RUNS, TABS = 500, 100_000, 50
LOADS, CRASHES = 10, 20
LOOK_S = 10.0
EVERY_S = 1.0
"""Between two crashes, while the cost of open tabs is looked at."""


class Stage(Shown):
    """A dashboard over many servers and a real store."""

    work: StoredWork

    async def runs(self) -> Runs:
        """Return those of the store."""
        return await self.work.runs()

    async def waiting(self) -> Waiting:
        """Return what waits."""
        return await self.work.waiting()

    def crash(self, number: int) -> None:
        """Have a server die, or another one if it did."""
        name = f"server-{number % SERVERS:03}"
        reason = f"died for the {number}th time"
        self.snapshots = tuple(
            replace(each, state=ServerState.BACKOFF, reason=reason) if each.name == name else each
            for each in self.snapshots
        )
        event = StateChanged(name, ServerState.READY, ServerState.BACKOFF, reason)
        self.dashboard.hear(event)


@asynccontextmanager
async def open_stage() -> AsyncGenerator[Stage]:
    """Fill a store and show it."""
    with tempfile.TemporaryDirectory(prefix="claude-runner-bench-") as folder:
        path = Path(folder) / "jobs.db"
        await _fill(path)
        async with Store.open(None, path=path) as store:
            points = tuple(replace(METRICS.fine[0], cpu_percent=n % 7) for n in range(60))
            stage = Stage(
                snapshots=[
                    replace(SNAPSHOT, name=f"server-{number:03}", pid=number, calls=number)
                    for number in range(SERVERS)
                ],
                metrics=replace(METRICS, fine=points),
                monotonic=anyio.current_time,
            )
            stage.work = StoredWork(
                store=store,
                today=lambda: Day("2026-11-22", 0),
                budget_micro_usd=None,
                specs=lambda: (),
                waiting_changes=_none,
                address_trouble=lambda: "",
            )
            yield stage


async def _none() -> int:
    return 0


async def _fill(path: Path) -> None:
    """Write one run by the store, and copies of its row without it."""
    async with Store.open(None, path=path) as store:
        await store.jobs.add(job(id="job_a"))
        await store.runs.add(run(id="run_0", job_id="job_a"))
        claimed = await store.runs.claim("run_0", 1)
        assert claimed is not None
        done = RunResult(RunStatus.SUCCEEDED, output="Done.")
        await store.runs.finish("run_0", claimed.attempt, done, now=2)
    with sqlite3.connect(path) as database:
        columns = [str(row[1]) for row in database.execute("PRAGMA table_info(runs)")]
        taken = {"id": "'run_' || n", "created_at": "n"}
        chosen = ", ".join(str(taken.get(each, each)) for each in columns)
        database.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "  # noqa: S608 - words of our own
            f"WHERE n < {RUNS - 1}) INSERT INTO runs ({', '.join(columns)}) "
            f"SELECT {chosen} FROM runs, numbers WHERE id = 'run_0'"
        )


async def loads(stage: Stage) -> dict[str, float]:
    """Return how long the overview takes: the first time, and the median of later ones, in s."""
    client, took = await sign_in(stage), list[float]()
    size = 0
    for _ in range(LOADS):
        begun = time.perf_counter()
        size = len(await (await client.get("/")).get_data())
        took.append(time.perf_counter() - begun)
    return {"first_s": took[0], "later_s": statistics.median(took[1:]), "bytes": size}


async def tabs(stage: Stage, count: int) -> float:
    """Return the share of a core that open tabs cost while a server dies every second, in %."""
    events, used = 0, list[float]()

    async def follow() -> None:
        nonlocal events
        async for patches in stage.live.updates(["attention", "figures", "servers", "runs"]):
            events += patches is not None

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(follow)
        await anyio.sleep(EVERY_S)
        begun, events = time.process_time(), 0
        for number in range(int(LOOK_S / EVERY_S)):
            stage.crash(number)
            await anyio.sleep(EVERY_S)
        used.append(time.process_time() - begun)
        group.cancel_scope.cancel()
    return 100 * used[0] / LOOK_S


async def crash_to_tab(stage: Stage) -> dict[str, float]:
    """Return how long a crash takes until a tab is sent its row, in ms."""
    took: list[float] = []
    tab = stage.live.updates(["attention", "figures", "servers", "runs"])
    await anext(tab)
    for number in range(CRASHES):
        begun = time.perf_counter()
        stage.crash(100 + number)
        async for patches in tab:
            if patches is not None and f"died for the {100 + number}th time" in patches:
                break
        took.append(1000 * (time.perf_counter() - begun))
    await tab.aclose()
    return {"median_ms": statistics.median(took), "worst_ms": max(took)}


async def main() -> None:
    """Measure and print."""
    async with open_stage() as stage:
        found: dict[str, Any] = {"servers": SERVERS, "runs": RUNS, "overview": await loads(stage)}
        none, one, many = await tabs(stage, 0), await tabs(stage, 1), await tabs(stage, TABS)
        found["percent_of_a_core"] = {"no_tab": none, "one_tab": one, f"{TABS}_tabs": many}
        found["crash_to_tab"] = await crash_to_tab(stage)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
