"""The queue: order, room, and runs of an earlier gateway. No CLI is started here."""

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gateway.auth.run_tokens import RunTokens
from gateway.domain.clock import utc_ms
from gateway.domain.job import OnInterrupt
from gateway.domain.run import Run, RunMessage, RunStatus, Trigger
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.limits import RunLimits, ServerLimits
from gateway.jobs.options import AgentConfig
from gateway.jobs.queue import EXPIRED
from gateway.jobs.runner import Runner
from gateway.secret import Secret
from gateway.store import Store
from sandboxes.policy import Level
from supervisor.errors import ServerUnavailable
from tests.databases import open_store
from tests.jobs.parts import Gate, a_run
from tests.store import examples
from tests.waiting import PATIENCE_S

WITH_KEY = AgentConfig(Secret("sk-ant-of-this-test"), "claude-test-model", level=Level.OFF)


class CountingClock:
    """Every look at it is later than the one before."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1_000)

    def now_ms(self) -> int:
        return next(self._ticks)

    async def sleep_until(self, instant: int | None) -> None:
        await anyio.sleep_forever()


def a_runner(store: Store, home: Path, **changes: Any) -> Runner:
    """Return a runner that refuses every run at once, for want of a key."""
    settings: dict[str, Any] = {
        "limits": RunLimits(1),
        "agent": AgentConfig(None, "claude-test-model"),
        "gate": Gate(),
        **changes,
    }
    return Runner(store=store, home=home, clock=CountingClock(), run_tokens=RunTokens(), **settings)


async def test_urgent_runs_come_first_and_equals_in_their_order(tmp_path: Path):
    """Ours: quick, then webhook, then manual, then the rest; no one overtakes an equal."""
    triggers = [
        Trigger.CRON, Trigger.MANUAL, Trigger.WEBHOOK, Trigger.QUICK, Trigger.CRON, Trigger.QUICK,
    ]  # fmt: skip
    runs = [a_run(trigger=trigger, created_at=at) for at, trigger in enumerate(triggers)]
    async with open_store(tmp_path / "jobs.db") as store:
        for run in runs:
            await store.runs.add(run)
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(store, tmp_path) as runner:
                ended = [await runner.wait(run.id) for run in runs]
    order = [runs.index(run) for run in sorted(runs, key=lambda run: _started(ended, run.id))]
    assert order == [3, 5, 2, 1, 0, 4]


async def test_run_that_an_earlier_gateway_had_claimed_is_marked_and_not_repeated(tmp_path: Path):
    """DESIGN 12: at most once; the row says what happened."""
    run = a_run()
    async with open_store(tmp_path / "jobs.db") as store:
        await store.runs.add(run)
        claimed = await store.runs.claim(run.id, 1)
        assert claimed is not None
        await store.runs.set_process(run.id, claimed.attempt, 2**22 - 1, 1.0)
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(store, tmp_path) as runner:
                found = await runner.wait(run.id)
    assert (found.status, found.attempt) == (RunStatus.INTERRUPTED, 1)


async def test_leaving_the_runner_leaves_the_queue(tmp_path: Path):
    """Ours: what was not claimed waits for the next start."""
    run = a_run()
    async with open_store(tmp_path / "jobs.db") as store:
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(store, tmp_path, limits=RunLimits(0)) as runner:
                await runner.submit(run)
            assert await store.runs.get(run.id) == run
            async with a_runner(store, tmp_path) as runner:
                assert (await runner.wait(run.id)).status is RunStatus.FAILED


async def test_nothing_is_claimed_before_the_servers_are_loaded(tmp_path: Path):
    """Ours: a run of the queue must not start without its servers."""
    run = a_run()
    loaded = anyio.Event()
    async with open_store(tmp_path / "jobs.db") as store:
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(store, tmp_path, begin=loaded.wait) as runner:
                await runner.submit(run)
                await anyio.wait_all_tasks_blocked()
                assert await store.runs.get(run.id) == run
                loaded.set()
                assert (await runner.wait(run.id)).status is RunStatus.FAILED


class CountingGate(Gate):
    """Servers that no run can use; counts the runs that ask at the same time."""

    def __init__(self, together: int = 1) -> None:
        """`together`: the first runs wait until so many are there."""
        super().__init__()
        self.asking = 0
        self.most = 0
        self._together = together
        self._complete = anyio.Event()

    async def ready(self, servers: tuple[str, ...]) -> None:
        self.asking += 1
        self.most = max(self.most, self.asking)
        if self.asking == self._together:
            self._complete.set()
        await self._complete.wait()
        await anyio.lowlevel.checkpoint()
        self.asking -= 1
        raise ServerUnavailable(servers[0], "backoff", "it is a test")


async def test_fifty_runs_at_once_go_in_order_and_three_at_a_time(tmp_path: Path):
    """Issue 7: queue order and limits as configured; of one job one at a time."""
    job, gate, ready = examples.job(), CountingGate(together=3), anyio.Event()
    urgency = [Trigger.QUICK, Trigger.WEBHOOK, Trigger.CRON]
    runs = [
        a_run(trigger=urgency[2 - number % 3], created_at=number, tools=("mcp__adder__add",))
        for number in range(50)
    ]
    runs = [
        replace(run, job_id=job.id, concurrency=1) if run.trigger is Trigger.CRON else run
        for run in runs
    ]
    async with open_store(tmp_path / "jobs.db") as store:
        await store.jobs.add(job)
        settings = {"limits": RunLimits(3), "gate": gate, "agent": WITH_KEY, "begin": ready.wait}
        with anyio.fail_after(30):
            async with a_runner(store, tmp_path, **settings) as runner:
                for run in runs:
                    await runner.submit(run)
                ready.set()
                ended = [await runner.wait(run.id) for run in runs]
    assert gate.most == 3
    assert {run.attempt for run in ended} == {1}
    in_order = sorted(runs, key=lambda run: (urgency.index(run.trigger), run.created_at))
    assert [run.id for run in sorted(ended, key=lambda run: run.started_at or 0)] == [
        run.id for run in in_order
    ]
    of_job = sorted((run for run in ended if run.job_id), key=lambda run: run.started_at or 0)
    assert all(
        (earlier.finished_at or 0) < (later.started_at or 0)
        for earlier, later in itertools.pairwise(of_job)
    )


async def test_runs_of_a_busy_server_wait_and_others_pass(tmp_path: Path):
    """Issue 7, 1 (concurrency per server): the limit holds for runs that name it by default too."""
    gate = CountingGate()
    limits = RunLimits(5, ServerLimits(None, {"adder": 1}))
    runs = [a_run(created_at=number) for number in range(6)]
    async with open_store(tmp_path / "jobs.db") as store:
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(
                store, tmp_path, limits=limits, gate=gate, agent=WITH_KEY
            ) as runner:
                for run in runs:
                    await runner.submit(run)
                for run in runs:
                    await runner.wait(run.id)
    assert gate.most == 1


async def test_a_run_that_is_not_started_in_time_expires(tmp_path: Path):
    """Issue 7, 1 (time to live): whoever waits for it is told."""
    run = a_run(expires_at=1)
    async with open_store(tmp_path / "jobs.db") as store:
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(store, tmp_path, limits=RunLimits(0)) as runner:
                await runner.submit(run)
                found = await runner.wait(run.id)
    assert (found.status, found.error) == (RunStatus.EXPIRED, EXPIRED)


class DeletesMeanwhile(DayBudgets):
    """Is asked between a run's expiry and what is done about it; deletes its job then."""

    def __init__(self, store: Store, job_id: str) -> None:
        super().__init__(store, utc_ms)
        self.delete = partial(store.jobs.delete, job_id)

    async def refuse(self, now: int) -> tuple[str, ...]:
        """Delete it, then refuse what is to be refused."""
        await self.delete()
        return await super().refuse(now)


async def test_a_run_that_expires_may_be_deleted_at_once(tmp_path: Path):
    """Ours: its job was deleted in that moment; others are looked after as before."""
    job = examples.job()
    deleted, other = a_run(job_id=job.id, expires_at=1), a_run(expires_at=1)
    async with open_store(tmp_path / "jobs.db") as store:
        await store.jobs.add(job)
        await store.runs.add(deleted)
        days = DeletesMeanwhile(store, job.id)
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(store, tmp_path, limits=RunLimits(0), days=days) as runner:
                await runner.submit(other)
                assert (await runner.wait(other.id)).status is RunStatus.EXPIRED


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (OnInterrupt.MARK, RunStatus.INTERRUPTED),
        (OnInterrupt.RETRY, RunStatus.FAILED),
        (OnInterrupt.RESUME, RunStatus.FAILED),
    ],
)
async def test_interrupted_run_is_treated_as_its_job_says(
    tmp_path: Path, policy: OnInterrupt, status: RunStatus
):
    """Issue 7, 2: mark, or another attempt, which here fails for want of a key."""
    run = a_run(on_interrupt=policy)
    async with open_store(tmp_path / "jobs.db") as store:
        await store.runs.add(run)
        assert await store.runs.claim(run.id, 1)
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(store, tmp_path) as runner:
                found = await runner.wait(run.id)
    assert (found.status, found.attempt) == (status, 1 if policy is OnInterrupt.MARK else 2)


async def test_what_a_killed_gateway_spent_of_a_runs_time_counts(tmp_path: Path):
    """Ours: up to its last message; a run without time left is marked, whatever its job says."""
    run = a_run(on_interrupt=OnInterrupt.RETRY, timeout_s=60.0)
    async with open_store(tmp_path / "jobs.db") as store:
        await store.runs.add(run)
        assert await store.runs.claim(run.id, 1_000)
        await store.runs.append_messages([RunMessage(run.id, 0, "assistant", "{}", 61_000)])
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(store, tmp_path) as runner:
                found = await runner.wait(run.id)
    assert (found.status, found.attempt, found.worked_ms) == (RunStatus.INTERRUPTED, 1, 60_000)


def _started(runs: list[Run], run_id: str) -> int:
    return next(run.started_at or 0 for run in runs if run.id == run_id)
