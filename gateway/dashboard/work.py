"""What the overview shows beside servers: runs, ticks, today's cost, what waits for the owner."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from gateway.budgets.days import day_of
from gateway.domain.budget import Day
from gateway.domain.clock import utc_ms
from gateway.domain.job import Job
from gateway.domain.run import Run
from gateway.servers import Servers
from gateway.settings import Settings
from gateway.store import Store
from supervisor.events import ServerState
from supervisor.spec import ServerSpec
from supervisor.supervisor import Supervisor

RECENT_RUNS = 10
SHOWN_RUNS = 20
"""Of those that go on; more are as many as the limits of runs allow, and have their own page."""
SHOWN_TICKS = 5
SHOWN_BROKEN = 20
"""Jobs without a schedule; one of them leads to the next."""
MOST_QUEUED = 1000
"""Counting further would tell nobody more."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs and due times at one instant."""

    live: tuple[Run, ...] = ()
    queued: int = 0
    recent: tuple[Run, ...] = ()
    next_jobs: tuple[Job, ...] = ()
    spent_micro_usd: int = 0
    """Today, by all runs."""
    budget_micro_usd: int | None = None
    """For all runs of a day; None: no limit."""
    read_at: int = 0
    """In milliseconds UTC."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What only the owner can end."""

    changes: int = 0
    """Versions of code that wait for approval."""
    lacking: tuple[tuple[str, str], ...] = ()
    """Server and key of each required credential that is not set."""
    broken_jobs: tuple[Job, ...] = ()
    """Enabled ones whose schedule cannot be read any more."""
    address: str = ""
    """Why the public address is not reached; empty while it is, or while there is none."""


class Work(Protocol):
    """Where the overview reads this. A test shows what it likes."""

    async def runs(self) -> Runs:
        """Return the runs. Raises StoreError."""
        ...

    async def waiting(self) -> Waiting:
        """Return what waits. Raises StoreError."""
        ...


def stored_work(
    settings: Settings,
    store: Store,
    supervisor: Supervisor,
    servers: Servers,
    address_trouble: Callable[[], str],
) -> "StoredWork":
    """Return what a live gateway has."""

    def specs() -> tuple[ServerSpec, ...]:
        slots = map(supervisor.slot, supervisor.names)
        # One that is off waits for nobody, as those that ship do.
        return tuple(slot.spec for slot in slots if slot.state is not ServerState.DISABLED)

    return StoredWork(
        store=store,
        today=lambda: day_of(utc_ms(), settings.default_timezone),
        budget_micro_usd=settings.daily_budget_usd or None,
        specs=specs,
        waiting_changes=servers.held.count,
        address_trouble=address_trouble,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWork:
    """Reads it from the store and from the parts of a live gateway."""

    store: Store
    today: Callable[[], Day]
    budget_micro_usd: int | None
    specs: Callable[[], Iterable[ServerSpec]]
    waiting_changes: Callable[[], Awaitable[int]]
    address_trouble: Callable[[], str]

    async def runs(self) -> Runs:
        """Return the runs: by indices alone, however many ended long ago. Raises StoreError."""
        runs = self.store.runs
        return Runs(
            live=await runs.live(SHOWN_RUNS),
            queued=await runs.count_queued(MOST_QUEUED),
            recent=await runs.list(limit=RECENT_RUNS),
            next_jobs=await self.store.jobs.next_due(SHOWN_TICKS),
            spent_micro_usd=await self.store.costs.spent(self.today().name),
            budget_micro_usd=self.budget_micro_usd,
            read_at=utc_ms(),
        )

    async def waiting(self) -> Waiting:
        """Return what waits. Raises StoreError."""
        given = await self.store.credentials.names()
        wanted = (
            (spec.name, each.key)
            for spec in self.specs()
            for each in spec.credentials
            if each.required
        )
        return Waiting(
            changes=await self.waiting_changes(),
            lacking=tuple(sorted(each for each in wanted if each not in given)),
            broken_jobs=await self.store.jobs.unscheduled(SHOWN_BROKEN),
            address=self.address_trouble(),
        )
