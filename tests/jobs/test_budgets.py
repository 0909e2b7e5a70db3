"""Budgets of turns and of days, with the real CLI against the stand-in."""

from dataclasses import replace

import anyio
import pytest

from gateway.domain.budget import Limit
from gateway.domain.job import Job
from gateway.domain.notice import Occasion
from gateway.domain.run import RunStatus, Trigger, run_of_job
from gateway.jobs.clock import SystemClock
from gateway.jobs.day_budgets import DayBudgets
from tests.jobs.parts import CLI_GUARD_S, Parts
from tests.store import examples

pytestmark = pytest.mark.timeout(2 * CLI_GUARD_S)
COST = 2500
"""Of one answer of the stand-in: 1000 tokens at 2 and 50 at 10 dollars for a million."""


def a_job(**changes: object) -> Job:
    """Return a job of a model with a price."""
    job = examples.job(tools=(), servers=(), model="claude-sonnet-5-5", next_fire_at=None)
    return replace(job, **changes)


async def test_day_budget_of_a_job_stops_its_run_and_pauses_it(parts: Parts):
    """Issue 7, 4: the run ends after the answer that spends it, the job pauses for the day, the
    next run does not start, and the owner is told once."""
    clock = SystemClock()
    days = DayBudgets(parts.store, clock.now_ms, zone="Europe/Berlin")
    job = a_job(day_budget_micro_usd=COST)
    await parts.store.jobs.add(job)
    first, second = (run_of_job(job, trigger=Trigger.MANUAL, now=clock.now_ms()) for _ in range(2))
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner(days=days) as runner:
            await runner.submit(first)
            ended = await runner.wait(first.id)
            await runner.submit(second)
            refused = await runner.wait(second.id)
    day = days.today()
    spent = f"the budget of 0.0025 US dollars a day for this job is spent (0.0025 on {day.name})."
    assert (ended.status, ended.limit_reached, ended.error, ended.cost_micro_usd) == (
        RunStatus.BUDGET, Limit.JOB_DAY, f"Stopped: {spent}", COST,
    )  # fmt: skip
    assert (refused.status, refused.limit_reached, refused.error, refused.attempt) == (
        RunStatus.BUDGET, Limit.JOB_DAY, f"Not started: {spent}", 0,
    )  # fmt: skip
    assert len(parts.api.requests) == 1
    (cost,) = await parts.store.costs.of_run(first.id)
    assert (cost.model, cost.tokens.requests, cost.tokens.cost_micro_usd) == (
        "claude-sonnet-5-5", 1, COST,
    )  # fmt: skip
    paused = await parts.store.jobs.get(job.id)
    assert paused is not None
    assert paused.paused_until == day.ends_at
    assert (paused.next_fire_at or 0) >= day.ends_at
    told = [kept.notice for kept in await parts.store.notices.newest(9)]
    assert [each.subject for each in told if each.occasion is Occasion.BUDGET_REACHED] == [job.id]


async def test_budget_of_all_runs_lets_none_start_when_it_is_spent(parts: Parts):
    """Issue 7, 4: runs of a job and of none; both rows say why."""
    clock = SystemClock()
    days = DayBudgets(parts.store, clock.now_ms, all_micro_usd=1)
    job = a_job()
    await parts.store.jobs.add(job)
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner(days=days) as runner:
            first = run_of_job(job, trigger=Trigger.MANUAL, now=clock.now_ms())
            await runner.submit(first)
            ended = await runner.wait(first.id)
            other = replace(examples.run(), model="claude-sonnet-5-5")
            await runner.submit(other)
            refused = await runner.wait(other.id)
    assert {ended.limit_reached, refused.limit_reached} == {Limit.ALL_DAY}
    assert (refused.status, refused.attempt) == (RunStatus.BUDGET, 0)
    unpaused = await parts.store.jobs.get(job.id)
    assert unpaused is not None
    assert unpaused.paused_until is None
