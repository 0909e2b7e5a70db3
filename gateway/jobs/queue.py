"""Which run starts next: by urgency and age, within the limits of jobs and servers."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from gateway.domain.run import Run
from gateway.jobs.access import Defaults, plan_access
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.gate import ServerGate
from gateway.jobs.limits import RunLimits
from gateway.notify import wording
from gateway.store import Store

LOOKED_AT = 100
"""Waiting runs that are looked at for one whose servers have room; the others wait behind them."""
EXPIRED = "The run did not start within the time that its job gives it."


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that is ours now."""

    run: Run
    servers: tuple[str, ...]
    """What it counts for in the limits of servers; empty when none has a limit."""


class Queue:
    """The queued runs of the store."""

    def __init__(
        self,
        store: Store,
        gate: ServerGate,
        limits: RunLimits,
        days: DayBudgets,
        node: str | None = None,
    ) -> None:
        """`node`: who claims, where several gateways share the store."""
        self._node = node
        self._store = store
        self._gate = gate
        self._limits = limits
        self._days = days

    async def expire(self, now: int) -> tuple[str, ...]:
        """End the runs that have waited too long or have no money left; return their ids."""
        runs = self._store.runs
        expired = await runs.expire(now, EXPIRED, lambda run: wording.expired(run, now))
        return (*expired, *await self._days.refuse(now))

    async def claim(self, live: Collection[Claimed], now: int) -> Claimed | None:
        """Take the next run that may start beside the live ones; None when there is none."""
        if len(live) >= self._limits.total:
            return None
        full = _full_jobs(live)
        if not self._limits.servers:
            run = await self._store.runs.claim_next(
                now, without_jobs=full, within=self._days.limits(), node=self._node
            )
            return None if run is None else Claimed(run, ())
        return await self._claim_with_servers(live, full, now)

    async def _claim_with_servers(
        self, live: Collection[Claimed], full: Collection[str], now: int
    ) -> Claimed | None:
        defaults = await defaults_of(self._store, self._gate)
        waiting = await self._store.runs.waiting(
            now,
            without_jobs=full,
            within=self._days.limits(),
            node=self._node,
            limit=LOOKED_AT,
        )
        for run in waiting:
            servers = plan_access(run, defaults).servers
            if self._limits.servers.allow(servers, (each.servers for each in live)):
                claimed = await self._store.runs.claim(run.id, now, node=self._node)
                if claimed is not None:
                    return Claimed(claimed, servers)
        return None


async def defaults_of(store: Store, gate: ServerGate) -> Defaults:
    """Return what runs that name no tools and no servers get."""
    rows = await store.settings.get_all()
    return Defaults(
        tools=tuple(rows["allowed_tools"]),
        servers=tuple(rows["mcp_servers"]),
        enabled=gate.enabled_servers(),
    )


def _full_jobs(live: Collection[Claimed]) -> list[str]:
    """Return the jobs that have as many live runs as they may."""
    counts = Counter(each.run.job_id for each in live)
    return [
        run.job_id
        for run in {each.run.job_id: each.run for each in live}.values()
        if run.job_id is not None
        and run.concurrency is not None
        and counts[run.job_id] >= run.concurrency
    ]
