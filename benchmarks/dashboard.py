"""What the dashboard costs with 500 servers and 100,000 runs: a page, open tabs, a crash.

`python -m benchmarks.dashboard` prints one JSON object, and what it does on standard error. The
store is a real one; the servers are snapshots, for 500 processes would be measured otherwise.
"""

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from gateway.dashboard.server_filter import PAGE_ROWS
from gateway.dashboard.work import Runs, StoredWork, Waiting
from gateway.domain.budget import Day
from gateway.domain.run import RunResult, RunStatus
from gateway.store import Store
from supervisor.events import ServerState, StateChanged
from tests.dashboard.parts import METRICS, SNAPSHOT, Shown, sign_in
from tests.store.examples import job, run

TABS, LOADS, CRASHES = 50, 10, 20
LOOK_S = 10.0
EVERY_S = 1.0
"""Between two crashes, while the cost of open tabs is looked at."""
TOLD_S = 10.0
"""Until a tab must have been sent a crash, which takes it 0.5 s."""
FOLLOWED = ("attention", "figures", "servers", "runs")


class NothingCame(Exception):
    """A tab was not sent what it should have been; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is shown."""

    servers: int = 500
    runs: int = 100_000


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
        """Have a server die that the first page of the overview shows."""
        name = f"server-{number % min(len(self.snapshots), PAGE_ROWS):03}"
        reason = f"died for the {number}th time"
        self.snapshots = tuple(
            replace(each, state=ServerState.BACKOFF, reason=reason) if each.name == name else each
            for each in self.snapshots
        )
        event = StateChanged(name, ServerState.READY, ServerState.BACKOFF, reason)
        self.dashboard.hear(event)


@asynccontextmanager
async def open_stage(size: Size) -> AsyncGenerator[Stage]:
    """Fill a store and show it."""
    with tempfile.TemporaryDirectory(prefix="claude-runner-bench-") as folder:
        path = Path(folder) / "jobs.db"
        await _fill(path, size.runs)
        async with Store.open(None, path=path) as store:
            points = tuple(replace(METRICS.fine[0], cpu_percent=n % 7) for n in range(60))
            stage = Stage(
                snapshots=[
                    replace(SNAPSHOT, name=f"server-{number:03}", pid=number, calls=number)
                    for number in range(size.servers)
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


async def _fill(path: Path, count: int) -> None:
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
            f"WHERE n < {count - 1}) INSERT INTO runs ({', '.join(columns)}) "
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
        async for patches in stage.live.updates(FOLLOWED):
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


async def crash_to_tab(stage: Stage, count: int = CRASHES) -> dict[str, float]:
    """Return how long a crash takes until a tab is sent its row, in ms. Raises NothingCame."""
    took: list[float] = []
    async with aclosing(stage.live.updates(FOLLOWED)) as tab:
        await anext(tab)
        for number in range(TABS, TABS + count):
            begun = time.perf_counter()
            stage.crash(number)
            await _read_until(tab, f"died for the {number}th time")
            took.append(1000 * (time.perf_counter() - begun))
    return {"median_ms": statistics.median(took), "worst_ms": max(took)}


async def _read_until(tab: AsyncGenerator[str | None], words: str) -> None:
    try:
        async with asyncio.timeout(TOLD_S):
            async for patches in tab:
                if patches is not None and words in patches:
                    return
    except TimeoutError:
        raise NothingCame(
            f"A tab was not sent that a server {words} within {TOLD_S:g} s."
        ) from None
    raise NothingCame(f"The tab ended before it was sent that a server {words}.")


async def main() -> None:
    """Measure and print."""
    size = Size()
    _say(f"Fill a store with {size.runs} runs.")
    async with open_stage(size) as stage:
        _say(f"Load the overview of {size.servers} servers.")
        found: dict[str, Any] = {**asdict(size), "overview": await loads(stage)}
        costs: dict[str, float] = {}
        for count in (0, 1, TABS):
            _say(f"Look for {LOOK_S:g} s at what open tabs cost: {count}.")
            costs[f"{count}_tabs"] = await tabs(stage, count)
        found["percent_of_a_core"] = costs
        _say("See how long a crash takes until a tab is sent it.")
        found["crash_to_tab"] = await crash_to_tab(stage)
    print(json.dumps(found, indent=2))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except NothingCame as error:
        sys.exit(str(error))
