"""A scheduler over a real store, on a clock that a test moves."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from gateway.auth.run_tokens import RunTokens
from gateway.domain.ids import new_id
from gateway.domain.job import Job
from gateway.domain.run import RunStatus
from gateway.jobs.limits import RunLimits
from gateway.jobs.options import AgentConfig
from gateway.jobs.runner import Runner
from gateway.jobs.scheduler import Scheduler
from gateway.store import Store
from tests.databases import open_store
from tests.jobs.parts import Gate

MINUTE = 60_000
HOUR = 60 * MINUTE
NOON = int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()) * 1000


class VirtualClock:
    """Stands still until a test moves it."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._moved = anyio.Event()
        self._asleep = anyio.Event()
        self._sleeps = 0
        self.alarm: int | None = None

    def now_ms(self) -> int:
        return self.now

    async def sleep_until(self, instant: int | None) -> None:
        self.alarm = instant
        self._sleeps += 1
        self._asleep.set()
        self._asleep = anyio.Event()
        while instant is None or self.now < instant:
            await self._moved.wait()
        self.alarm = None

    async def until_asleep(self, times: int = 1) -> int | None:
        """Return for when the sleeper has set its alarm, once it sleeps for the n-th time."""
        while self._sleeps < times:
            await self._asleep.wait()
        return self.alarm

    async def move_to(self, now: int) -> None:
        """Set the time and return when everybody sleeps again."""
        self.now = now
        self._moved.set()
        self._moved = anyio.Event()
        await self.until_asleep(self._sleeps + 1)


class World:
    """A scheduler over a store whose runs nobody executes."""

    def __init__(self, store: Store, runner: Runner, clock: VirtualClock) -> None:
        self.store = store
        self.clock = clock
        self.runner = runner
        self.scheduler = Scheduler(store, runner, clock)

    async def add_job(self, **changes: Any) -> Job:
        """Store an hourly job that is due at noon."""
        values: dict[str, Any] = {
            "id": new_id("job"),
            "name": "hourly",
            "cron": "0 * * * *",
            "timezone": "UTC",
            "prompt": "Do it.",
            "tools": ("Read",),
            "servers": (),
            "enabled": True,
            "created_at": 1,
            "updated_at": 1,
            "next_fire_at": NOON,
            **changes,
        }
        job = Job(**values)
        await self.store.jobs.add(job)
        return job

    async def rows(self, job: Job) -> list[tuple[int | None, RunStatus, str | None]]:
        """Return instant, status and reason of the job's runs by instant."""
        runs = await self.store.runs.list(job.id)
        return sorted(
            ((run.scheduled_for, run.status, run.error) for run in runs),
            key=lambda row: row[0] or 0,
        )

    async def next_fire_at(self, job: Job) -> int | None:
        """Return when the job is due next."""
        found = await self.store.jobs.get(job.id)
        assert found is not None
        return found.next_fire_at


@asynccontextmanager
async def a_world(tmp_path: Path) -> AsyncGenerator[World]:
    """Open one at one second past noon."""
    clock = VirtualClock(NOON + 1000)
    async with (
        open_store(tmp_path / "jobs.db") as store,
        Runner(
            store=store,
            home=tmp_path,
            # Of its own: the runner sleeps too.
            clock=VirtualClock(NOON),
            agent=AgentConfig(None, "claude-test-model"),
            gate=Gate(),
            run_tokens=RunTokens(),
            limits=RunLimits(0),
        ) as runner,
    ):
        yield World(store, runner, clock)
