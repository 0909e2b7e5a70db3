"""What becomes of due instants, on a virtual clock."""

import logging
from collections import Counter
from dataclasses import replace

import anyio
import pytest

from gateway.domain.job import CatchUp, Overlap
from gateway.domain.run import Run, RunResult, RunStatus, Trigger, run_of_job
from gateway.jobs.calendar import next_firings
from gateway.jobs.overlap import MAX_WAITING
from tests.jobs.world import HOUR, MINUTE, NOON, World
from tests.waiting import PATIENCE_S


async def end(world: World, run: Run) -> None:
    """Let a queued run end."""
    claimed = await world.store.runs.claim(run.id, NOON)
    assert claimed is not None
    result = RunResult(RunStatus.SUCCEEDED)
    assert await world.store.runs.finish(run.id, claimed.attempt, result, NOON)


async def test_due_instant_becomes_a_run_with_what_the_job_says(world: World):
    """Ours: the run is a copy of the job's definition at that instant."""
    job = await world.add_job(
        model="m", system_prompt="s", max_turns=3, timeout_s=9.0, budget_micro_usd=7, servers=("x",)
    )
    await world.scheduler.handle_due()
    (run,) = await world.store.runs.list(job.id)
    assert run == Run(
        id=run.id,
        trigger=Trigger.CRON,
        status=RunStatus.QUEUED,
        prompt="Do it.",
        tools=("Read",),
        servers=("x",),
        created_at=NOON + 1000,
        job_id=job.id,
        scheduled_for=NOON,
        model="m",
        system_prompt="s",
        max_turns=3,
        timeout_s=9.0,
        budget_micro_usd=7,
        concurrency=1,
    )
    assert await world.next_fire_at(job) == NOON + HOUR


async def test_instant_runs_once_although_the_advance_was_lost(world: World):
    """DESIGN 12: a crash between the row and the advance repeats nothing."""
    job = await world.add_job()
    await world.scheduler.handle_due()
    moved = replace(job, next_fire_at=NOON + HOUR)
    assert await world.store.jobs.advance(moved, NOON)
    await world.scheduler.handle_due()
    assert await world.rows(job) == [(NOON, RunStatus.QUEUED, None)]
    assert await world.next_fire_at(job) == NOON + HOUR


async def test_unfinished_run_makes_the_next_instant_a_skipped_row(world: World):
    """Ours (overlap skip): the row names the run that was in the way."""
    job = await world.add_job()
    await world.scheduler.handle_due()
    (first,) = await world.store.runs.list(job.id)
    world.clock.now = NOON + HOUR
    await world.scheduler.handle_due()
    assert await world.rows(job) == [
        (NOON, RunStatus.QUEUED, None),
        (NOON + HOUR, RunStatus.SKIPPED, f"Run {first.id} of this job had not ended."),
    ]
    await end(world, first)
    world.clock.now = NOON + 2 * HOUR
    await world.scheduler.handle_due()
    assert (await world.rows(job))[-1] == (NOON + 2 * HOUR, RunStatus.QUEUED, None)


async def test_queue_one_lets_one_instant_wait(world: World):
    """Issue 7 (overlap queue_one): the next one finds it waiting and is skipped."""
    job = await world.add_job(overlap=Overlap.QUEUE_ONE)
    await world.scheduler.handle_due()
    (first,) = await world.store.runs.list(job.id)
    assert await world.store.runs.claim(first.id, NOON)
    world.clock.now = NOON + HOUR
    await world.scheduler.handle_due()
    world.clock.now = NOON + 2 * HOUR
    await world.scheduler.handle_due()
    rows = await world.rows(job)
    assert [status for _, status, _ in rows] == [
        RunStatus.STARTING,
        RunStatus.QUEUED,
        RunStatus.SKIPPED,
    ]
    assert "was waiting already" in (rows[2][2] or "")


async def test_allow_queues_every_instant_up_to_a_bound(world: World):
    """Issue 7 (overlap allow): runs lie beside each other; what waits is bounded."""
    job = await world.add_job(cron="* * * * *", overlap=Overlap.ALLOW)
    for minute in range(MAX_WAITING + 1):
        world.clock.now = NOON + minute * MINUTE
        await world.scheduler.handle_due()
    statuses = Counter(run.status for run in await world.store.runs.list(job.id, limit=500))
    assert statuses == {RunStatus.QUEUED: MAX_WAITING, RunStatus.SKIPPED: 1}


async def test_cancel_running_ends_the_earlier_run(world: World):
    """Issue 7 (overlap cancel_running): the newest instant counts."""
    job = await world.add_job(overlap=Overlap.CANCEL_RUNNING)
    await world.scheduler.handle_due()
    world.clock.now = NOON + HOUR
    await world.scheduler.handle_due()
    assert await world.rows(job) == [
        (NOON, RunStatus.CANCELLED, "Ended because the job's next run was due."),
        (NOON + HOUR, RunStatus.QUEUED, None),
    ]


async def test_instants_that_are_made_up_for_together_do_not_overlap(world: World):
    """Ours (catch_up all, overlap skip): they are one stretch, run one after the other."""
    job = await world.add_job(
        next_fire_at=NOON - 2 * HOUR, catch_up=CatchUp.ALL, catch_up_max=2, grace_s=9e4
    )
    await world.scheduler.handle_due()
    assert [(at, status) for at, status, _ in await world.rows(job)] == [
        (NOON - 2 * HOUR, RunStatus.SKIPPED),
        (NOON - HOUR, RunStatus.QUEUED),
        (NOON, RunStatus.QUEUED),
    ]


async def test_a_skipped_row_names_the_stretch_that_it_stands_for(world: World):
    """Issue 7: every instant is in exactly one row or run."""
    job = await world.add_job(next_fire_at=NOON - 3 * HOUR)
    await world.scheduler.handle_due()
    row = min(await world.store.runs.list(job.id), key=lambda run: run.scheduled_for or 0)
    assert (row.scheduled_for, row.scheduled_until) == (NOON - 3 * HOUR, NOON - HOUR)


async def test_a_job_with_jitter_fires_later_by_the_same_time(world: World):
    """Issue 7: its instants stay those of the schedule, so that they are unique."""
    job = await world.add_job(jitter_s=1800.0)
    (first, second) = next_firings(job, NOON - 1, 2)
    assert NOON < first <= NOON + 1800_000
    assert second - first == HOUR
    await world.store.jobs.reschedule(job, replace(job, next_fire_at=first))
    world.clock.now = first - 1
    await world.scheduler.handle_due()
    assert await world.rows(job) == []
    world.clock.now = first
    await world.scheduler.handle_due()
    assert await world.rows(job) == [(NOON, RunStatus.QUEUED, None)]
    assert await world.next_fire_at(job) == second


async def test_a_job_that_runs_once_is_not_due_again(world: World):
    """Issue 7 (at): within the grace it is made up for like any other."""
    job = await world.add_job(cron=None, at=NOON - MINUTE, next_fire_at=NOON - MINUTE)
    await world.scheduler.handle_due()
    assert await world.rows(job) == [(NOON - MINUTE, RunStatus.QUEUED, None)]
    assert await world.next_fire_at(job) is None


async def test_a_paused_job_is_due_after_its_pause(world: World):
    """Issue 7 (pause until): an instant at the very end of the pause counts."""
    job = await world.add_job(paused_until=NOON + 3 * HOUR)
    assert next_firings(job, NOON, 2) == (NOON + 3 * HOUR, NOON + 4 * HOUR)


async def test_a_job_that_is_changed_while_it_is_due_is_left_to_its_change(world: World):
    """Ours: whoever saw an older instant stores nothing."""
    job = await world.add_job()
    row = replace(run_of_job(job, trigger=Trigger.CRON, now=NOON, scheduled_for=NOON))
    await world.store.jobs.reschedule(job, replace(job, next_fire_at=NOON + MINUTE))
    assert not await world.store.jobs.advance(job, NOON + HOUR, rows=[row])
    assert await world.rows(job) == []


async def test_missed_instants_are_accounted_for_and_the_latest_catches_up(world: World):
    """Ours (catch_up latest, 1 h grace): one run, one row for the others."""
    job = await world.add_job(next_fire_at=NOON - 3 * HOUR)
    await world.scheduler.handle_due()
    assert await world.rows(job) == [
        (
            NOON - 3 * HOUR,
            RunStatus.SKIPPED,
            "This instant and those after it, 3 together, were missed while the gateway did not"
            " run; what came after is made up for.",
        ),
        (NOON, RunStatus.QUEUED, None),
    ]


async def test_instant_beyond_the_grace_is_skipped(world: World):
    """Ours: too late is worse than not at all, and leaves a row."""
    job = await world.add_job(cron="0 8 * * *", next_fire_at=NOON - 4 * HOUR)
    await world.scheduler.handle_due()
    assert await world.rows(job) == [
        (
            NOON - 4 * HOUR,
            RunStatus.SKIPPED,
            "This instant was missed while the gateway did not run; the job's grace is 3600 s.",
        )
    ]
    assert await world.next_fire_at(job) == NOON + 20 * HOUR


async def test_disabled_job_does_nothing(world: World):
    """Ours: not even a row."""
    job = await world.add_job(enabled=False)
    await world.scheduler.handle_due()
    assert await world.rows(job) == []


async def test_unusable_schedule_stops_only_its_own_job(
    world: World, caplog: pytest.LogCaptureFixture
):
    """Ours: a zone that a system update removed must not stop the others."""
    broken = await world.add_job(timezone="Mars/Olympus", next_fire_at=NOON - HOUR)
    fine = await world.add_job()
    await world.scheduler.handle_due()
    assert await world.rows(broken) == []
    assert await world.next_fire_at(broken) is None
    assert await world.rows(fine) == [(NOON, RunStatus.QUEUED, None)]
    assert "Mars/Olympus" in caplog.text


async def test_a_schedule_that_can_be_read_again_is_taken_up_by_the_next_start(world: World):
    """Ours: a zone that another machine lacked; nothing of the time between is made up for."""
    broken = await world.add_job(cron="<nonsense>", next_fire_at=None)
    mended = await world.add_job(next_fire_at=None)
    off = await world.add_job(next_fire_at=None, enabled=False)
    await world.scheduler.handle_due()
    assert await world.next_fire_at(broken) is None
    assert await world.next_fire_at(mended) == NOON + HOUR
    assert await world.next_fire_at(off) is None
    assert await world.store.runs.list() == ()


async def test_loop_sleeps_to_the_next_instant(world: World, caplog: pytest.LogCaptureFixture):
    """Issue 7: it logs its start, sleeps until something is due, and accounts for each instant."""
    caplog.set_level(logging.INFO)
    job = await world.add_job(cron="* * * * *", next_fire_at=NOON + 2 * MINUTE)
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.scheduler.run)
            assert await world.clock.until_asleep() == NOON + 2 * MINUTE
            await world.clock.move_to(NOON + 2 * MINUTE)
            assert await world.rows(job) == [(NOON + 2 * MINUTE, RunStatus.QUEUED, None)]
            assert world.clock.alarm == NOON + 3 * MINUTE
            tasks.cancel_scope.cancel()
    assert "Scheduler loop started" in caplog.messages


async def test_wake_makes_the_loop_look_again(world: World):
    """Ours: a job that was changed is not late."""
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.scheduler.run)
            await world.clock.until_asleep()
            job = await world.add_job(next_fire_at=NOON)
            world.scheduler.wake()
            await world.clock.until_asleep(2)
            assert await world.rows(job) == [(NOON, RunStatus.QUEUED, None)]
            tasks.cancel_scope.cancel()


async def test_clock_set_back_repeats_nothing(world: World):
    """Issue 7: an instant that has run does not run again."""
    job = await world.add_job()
    await world.scheduler.handle_due()
    world.clock.now = NOON - HOUR
    await world.scheduler.handle_due()
    world.clock.now = NOON + 1000
    await world.scheduler.handle_due()
    assert await world.rows(job) == [(NOON, RunStatus.QUEUED, None)]


async def test_clock_that_was_wrong_by_years_keeps_no_job_waiting(
    world: World, caplog: pytest.LogCaptureFixture
):
    """Ours: set back by more than a day, jobs get their next instant from the new time."""
    world.clock.now = NOON + 365 * 24 * HOUR
    job = await world.add_job(next_fire_at=NOON)
    later = world.clock.now + HOUR
    broken = await world.add_job(cron="<nonsense>", next_fire_at=later)
    await world.scheduler.handle_due()
    world.clock.now = NOON + 1000
    await world.scheduler.handle_due()
    assert await world.next_fire_at(job) == NOON + HOUR
    assert await world.next_fire_at(broken) is None
    assert "The clock was set back" in caplog.text
