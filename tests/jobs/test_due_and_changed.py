"""An instant that is due at the moment in which its job is paused or changed has its run or row."""

from dataclasses import replace
from datetime import UTC, datetime

import anyio
import pytest

from gateway.budgets.days import day_of
from gateway.domain.budget import Charge, Limit, Tokens
from gateway.domain.clock import utc_ms
from gateway.domain.job import Job
from gateway.domain.run import RunResult, RunStatus, Trigger, run_of_job
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.desk import JobDesk
from gateway.jobs.given import Given
from gateway.settings import load
from tests.jobs.world import HOUR, MINUTE, NOON, World
from tests.waiting import PATIENCE_S

FAR = "2099-01-01T00:00"
PAUSED = Given(paused_until=FAR)
OFF = Given(enabled=False)
OTHER = Given(cron="59 23 31 12 *")


async def due_now(world: World) -> tuple[Job, int]:
    """Store a job that was due a moment ago, and again in a day; return it and its instant."""
    due = utc_ms() // MINUTE * MINUTE
    at = datetime.fromtimestamp(due / 1000, UTC)
    job = await world.add_job(cron=f"{at.minute} {at.hour} * * *", next_fire_at=due)
    world.clock.now = due + MINUTE
    return job, due


def desk_of(world: World) -> JobDesk:
    """Return what pages and tools change jobs by."""
    return JobDesk(load({}, None), world.store, world.runner, world.scheduler, dict)


@pytest.mark.parametrize("first", ["change", "scheduler", "both"])
async def test_what_is_due_when_its_job_changes_is_run_once(world: World, first: str) -> None:
    """Issue 7: whoever of the two comes first, and when both come at once."""
    desk = desk_of(world)
    for given in (PAUSED, OFF, OTHER):
        job, due = await due_now(world)
        if first == "scheduler":
            await world.scheduler.handle_due()
        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as both:
                both.start_soon(desk.change, job.id, given)
                if first == "both":
                    both.start_soon(world.scheduler.handle_due)
        await world.scheduler.handle_due()
        assert await world.rows(job) == [(due, RunStatus.QUEUED, None)]
        assert await world.next_fire_at(job) not in (due, due + 24 * HOUR)
        # Somebody who has read the job as it was comes too late.
        await world.scheduler.settle(job, utc_ms())
        assert len(await world.rows(job)) == 1


async def test_what_was_missed_when_its_job_changes_has_a_row(world: World) -> None:
    """Issue 7: as the scheduler, which has not come to it, would have written it."""
    job, due = await due_now(world)
    late = replace(job, next_fire_at=due - 48 * HOUR)
    assert await world.store.jobs.reschedule(job, late)
    await desk_of(world).change(job.id, OFF)
    (missed, ran) = await world.rows(job)
    assert (missed[:2], ran[:2]) == (
        (due - 48 * HOUR, RunStatus.SKIPPED),
        (due, RunStatus.QUEUED),
    )


async def test_a_spent_budget_takes_no_due_instant_away(world: World) -> None:
    """Issue 7: it becomes a run that says why it did not start, and then its job pauses."""
    job = await world.add_job(day_budget_micro_usd=100)
    days = DayBudgets(world.store, world.clock.now_ms)
    run = run_of_job(job, trigger=Trigger.MANUAL, now=NOON)
    await world.store.runs.add(run)
    claimed = await world.store.runs.claim(run.id, NOON)
    assert claimed is not None
    day = day_of(NOON, "UTC")
    cost = Tokens(requests=1, cost_micro_usd=100)
    charge = Charge(run.id, claimed.attempt, day.name, job.id, "claude-a", cost)
    await world.store.costs.charge(charge)
    result = RunResult(RunStatus.BUDGET)
    assert await world.store.runs.finish(run.id, claimed.attempt, result, NOON)
    await days.note_end(run, Limit.JOB_DAY)
    assert await world.next_fire_at(job) == NOON
    await world.scheduler.handle_due()
    (refused,) = await days.refuse(world.clock.now)
    found = await world.store.runs.get(refused)
    assert found is not None
    assert (found.scheduled_for, found.limit_reached) == (NOON, Limit.JOB_DAY)
    assert await world.next_fire_at(job) == day.ends_at
