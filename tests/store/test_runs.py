"""What the table of runs promises, on both databases: the queue, the races and the fences."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy.dialects import sqlite

from gateway.domain.job import OnInterrupt
from gateway.domain.run import Run, RunResult, RunStatus, RunWish, Trigger
from gateway.store import Store, UnknownJob
from gateway.store.run_history import select_newest
from tests.store import examples
from tests.waiting import PATIENCE_S

RESULT = RunResult(
    status=RunStatus.SUCCEEDED,
    output="done",
    cost_micro_usd=12_345,
    input_tokens=10,
    output_tokens=20,
    turns=3,
    worked_ms=7,
    session_id="s-1",
)


async def claimed(store: Store, **changes: object) -> Run:
    """Return a run that was added and claimed."""
    run = examples.run(**changes)
    await store.runs.add(run)
    taken = await store.runs.claim(run.id, 100)
    assert taken is not None
    return taken


async def test_a_run_comes_back_as_it_was_stored(store: Store) -> None:
    """Ours: every field survives, with and without the optional ones."""
    job = examples.job()
    await store.jobs.add(job)
    plain = examples.run()
    full = examples.run(
        trigger=Trigger.CRON,
        status=RunStatus.SKIPPED,
        job_id=job.id,
        webhook_id="hook_1",
        scheduled_for=1000,
        scheduled_until=1001,
        expires_at=1002,
        not_before=1003,
        retries=2,
        concurrency=1,
        on_interrupt=OnInterrupt.RETRY,
        chained_from="run_1",
        chain_depth=2,
        model="claude-x",
        system_prompt="Be brief.",
        max_turns=3,
        timeout_s=0.5,
        budget_micro_usd=1,
        attempt=2,
        started_at=21,
        finished_at=22,
        output="out",
        error="why",
        cost_micro_usd=3,
        input_tokens=4,
        output_tokens=5,
        turns=6,
        worked_ms=8,
        session_id="s",
        process_group=4321,
        process_started_at=1700000000.25,
    )
    assert await store.runs.add(plain)
    assert await store.runs.add(full)
    assert await store.runs.get(plain.id) == plain
    assert await store.runs.get(full.id) == full
    assert await store.runs.get("run_nothere") is None


async def test_runs_are_listed_newest_first(store: Store) -> None:
    """Ours: of one job or of all, and no more than asked for."""
    job = examples.job()
    await store.jobs.add(job)
    runs = [examples.run(created_at=at, job_id=job.id if at % 2 else None) for at in range(6)]
    for run in runs:
        await store.runs.add(run)
    assert await store.runs.list() == tuple(reversed(runs))
    assert await store.runs.list(limit=2) == (runs[5], runs[4])
    assert await store.runs.list(job.id) == (runs[5], runs[3], runs[1])
    assert await store.runs.list("job_nothere") == ()


@pytest.mark.parametrize("filtered", [{}, {"job_id": "j"}, {"webhook_id": "w"}], ids=str)
@pytest.mark.parametrize("status", [None, RunStatus.FAILED])
def test_a_page_of_the_list_costs_what_it_shows(
    filtered: dict[str, Any], status: RunStatus | None, migrated_file: Path
) -> None:
    """Issue 8: 100,000 runs are no more work than fifty: an index gives the order."""
    wish = RunWish(status=status, after=(5, "run_x"), limit=50, **filtered)
    dialect = sqlite.dialect(paramstyle="named")
    asked = select_newest(wish).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    with closing(sqlite3.connect(migrated_file)) as database:
        steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {asked}")]
    columns = [*filtered, *(["status"] if status else [])]
    index = f"ix_runs_{'_'.join([*columns, 'created_at'])}"
    bounds = " AND ".join(f"{column}=?" for column in columns)
    bounds = f"{bounds} AND created_at<?" if bounds else "created_at<?"
    assert steps[0] == f"SEARCH runs USING INDEX {index} ({bounds})"
    # Runs of one millisecond are put in order by themselves, nothing else is.
    assert [step.rpartition(" FOR ")[2] for step in steps[1:]] in (
        ["LAST TERM OF ORDER BY"],
        ["RIGHT PART OF ORDER BY"],
    )


async def test_lists_go_on_where_they_ended(store: Store) -> None:
    """Ours: also between two runs of one millisecond; texts that may be large are left out."""
    job = examples.job()
    await store.jobs.add(job)
    made = [
        examples.run(id=f"run_{n}", created_at=n // 2, job_id=job.id if n % 3 else None)
        for n in range(9)
    ]
    for run in made:
        await store.runs.add(run)
    seen: list[str] = []
    wish = RunWish(limit=2)
    while found := await store.run_history.newest(wish):
        seen += [run.id for run in found]
        wish = replace(wish, after=(found[-1].created_at, found[-1].id))
    assert seen == [run.id for run in reversed(made)]
    mine = await store.run_history.newest(RunWish(job_id=job.id, status=RunStatus.QUEUED))
    assert [run.id for run in mine] == ["run_8", "run_7", "run_5", "run_4", "run_2", "run_1"]
    assert mine[0] == replace(made[8], prompt="")
    assert await store.run_history.newest(RunWish(webhook_id="webhook_none")) == ()


async def test_an_instant_of_a_job_is_stored_once(store: Store, other: Store) -> None:
    """Ours: two schedulers, one tick, one run."""
    job = examples.job()
    await store.jobs.add(job)
    ticks = [examples.run(job_id=job.id, scheduled_for=1000) for _ in range(20)]
    added: list[bool] = []

    async def add(table: Store, run: Run) -> None:
        added.append(await table.runs.add(run))

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            for number, run in enumerate(ticks):
                group.start_soon(add, (store, other)[number % 2], run)

    assert sorted(added) == [False] * 19 + [True]
    assert len(await store.runs.list()) == 1


async def test_the_same_instant_of_another_job_and_runs_without_one_are_free(store: Store) -> None:
    """Ours: only (job, instant) is unique."""
    jobs = [examples.job(), examples.job()]
    for job in jobs:
        await store.jobs.add(job)
        assert await store.runs.add(examples.run(job_id=job.id, scheduled_for=1000))
        assert await store.runs.add(examples.run(job_id=job.id, scheduled_for=2000))
        assert await store.runs.add(examples.run(job_id=job.id))
        assert await store.runs.add(examples.run(job_id=job.id))


async def test_a_run_of_a_deleted_job_is_refused(store: Store) -> None:
    """Ours: the scheduler learns that the job is gone."""
    with pytest.raises(UnknownJob) as caught:
        await store.runs.add(examples.run(job_id="job_gone"))
    assert caught.value.job_id == "job_gone"
    assert await store.runs.list() == ()


async def test_one_of_many_concurrent_claims_wins(store: Store, other: Store) -> None:
    """Ours: a paid run starts at most once."""
    run = examples.run()
    await store.runs.add(run)
    winners: list[Run] = []

    async def claim(table: Store) -> None:
        taken = await table.runs.claim(run.id, 100)
        if taken is not None:
            winners.append(taken)

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(claim, (store, other)[number % 2])

    expected = replace(run, status=RunStatus.STARTING, attempt=1, started_at=100)
    assert winners == [expected]
    assert await store.runs.get(run.id) == expected


async def test_claim_next_gives_each_run_to_one_claimer(store: Store, other: Store) -> None:
    """Ours: nothing is given twice and nothing is left over."""
    runs = [examples.run(created_at=at) for at in range(30)]
    for run in runs:
        await store.runs.add(run)
    taken: list[str] = []

    async def drain(table: Store) -> None:
        while (run := await table.runs.claim_next(100)) is not None:
            taken.append(run.id)

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(drain, (store, other)[number % 2])

    assert sorted(taken) == sorted(run.id for run in runs)


async def test_claim_next_takes_the_urgent_before_the_old(store: Store) -> None:
    """Ours: a person waits for a quick run, nobody for a scheduled one."""
    wanted = [
        examples.run(trigger=Trigger.QUICK, created_at=5),
        examples.run(trigger=Trigger.WEBHOOK, created_at=4),
        examples.run(trigger=Trigger.MANUAL, created_at=3),
        examples.run(trigger=Trigger.CRON, created_at=1),
        examples.run(trigger=Trigger.CRON, created_at=2),
    ]
    for run in reversed(wanted):
        await store.runs.add(run)
    taken = [await store.runs.claim_next(100) for _ in wanted]
    assert [run.id for run in taken if run] == [run.id for run in wanted]
    assert await store.runs.claim_next(100) is None


async def test_a_claimed_run_is_marked_running_once(store: Store) -> None:
    """Ours: starting to running, by the claimer only."""
    run = await claimed(store)
    assert not await store.runs.mark_running(run.id, run.attempt - 1)
    assert await store.runs.mark_running(run.id, run.attempt)
    assert not await store.runs.mark_running(run.id, run.attempt)
    assert await store.runs.get(run.id) == replace(run, status=RunStatus.RUNNING)


async def test_finish_stores_the_result_and_forgets_the_process(store: Store) -> None:
    """Ours: nothing is left that a later start would kill."""
    run = await claimed(store)
    assert await store.runs.set_process(run.id, run.attempt, 4321, 5.25)
    with_process = replace(run, process_group=4321, process_started_at=5.25)
    assert await store.runs.get(run.id) == with_process
    assert await store.runs.finish(run.id, run.attempt, RESULT, 200)
    assert await store.runs.get(run.id) == replace(
        run,
        status=RunStatus.SUCCEEDED,
        finished_at=200,
        output="done",
        cost_micro_usd=12_345,
        input_tokens=10,
        output_tokens=20,
        turns=3,
        worked_ms=7,
        session_id="s-1",
    )


async def test_the_run_that_follows_is_stored_with_the_end_or_not_at_all(store: Store) -> None:
    """Issue 7, 1 (chaining): a crash between the two would lose or double it."""
    job = examples.job()
    await store.jobs.add(job)
    run = await claimed(store)
    then = examples.run(job_id=job.id, chained_from=run.id, chain_depth=1)
    assert not await store.runs.finish(run.id, run.attempt + 1, RESULT, 200, then=then)
    assert await store.runs.get(then.id) is None
    with pytest.raises(UnknownJob):
        gone = replace(then, job_id="job_gone")
        await store.runs.finish(run.id, run.attempt, RESULT, 200, then=gone)
    assert await store.runs.get(run.id) == run
    assert await store.runs.finish(run.id, run.attempt, RESULT, 200, then=then)
    assert await store.runs.get(then.id) == then


async def test_a_write_with_another_attempt_changes_nothing(store: Store) -> None:
    """Ours: a worker that comes back from the dead is fenced off."""
    run = await claimed(store)
    for attempt in (run.attempt - 1, run.attempt + 1):
        assert not await store.runs.finish(run.id, attempt, RESULT, 200)
        assert not await store.runs.set_process(run.id, attempt, 1, 1.0)
        assert not await store.runs.mark_running(run.id, attempt)
    assert await store.runs.get(run.id) == run


async def test_a_finished_run_never_changes_again(store: Store) -> None:
    """Ours: the first end is the end."""
    run = await claimed(store)
    assert await store.runs.finish(run.id, run.attempt, RESULT, 200)
    finished = await store.runs.get(run.id)
    late = replace(RESULT, status=RunStatus.FAILED)
    assert not await store.runs.finish(run.id, run.attempt, late, 300)
    assert not await store.runs.mark_running(run.id, run.attempt)
    assert not await store.runs.cancel_queued(run.id, 300, "late")
    assert await store.runs.claim(run.id, 300) is None
    assert not await store.runs.requeue(run.id, run.attempt, late, not_before=0)
    assert await store.node_runs.claimed_by(None) == ()
    assert await store.runs.get(run.id) == finished


async def test_a_queued_run_is_cancelled_with_its_reason(store: Store) -> None:
    """Ours: and never claimed afterwards."""
    run = examples.run()
    await store.runs.add(run)
    assert await store.runs.cancel_queued(run.id, 60, "Killed by a person.")
    assert not await store.runs.cancel_queued(run.id, 61, "Again.")
    assert await store.runs.claim_next(70) is None
    assert await store.runs.get(run.id) == replace(
        run, status=RunStatus.CANCELLED, error="Killed by a person.", finished_at=60
    )


async def test_a_claimed_run_is_not_cancelled_as_queued(store: Store) -> None:
    """Ours: whoever lost that race ends the process instead."""
    run = await claimed(store)
    assert not await store.runs.cancel_queued(run.id, 200, "too late")
    assert await store.runs.get(run.id) == run


async def test_claimed_gives_the_runs_of_an_earlier_gateway_and_their_processes(
    store: Store,
) -> None:
    """Ours: queued and finished runs are not touched at a start."""
    starting = await claimed(store, created_at=1)
    running = await claimed(store, created_at=2)
    await store.runs.set_process(running.id, running.attempt, 4321, 5.25)
    await store.runs.mark_running(running.id, running.attempt, "s-2")
    await store.runs.add(examples.run(created_at=3))
    assert await store.node_runs.claimed_by(None) == (
        starting,
        replace(
            running,
            status=RunStatus.RUNNING,
            process_group=4321,
            process_started_at=5.25,
            session_id="s-2",
        ),
    )


async def test_a_run_that_begins_again_waits_and_is_another_attempt(store: Store) -> None:
    """Issue 7, 2: the earlier attempt can write nothing any more."""
    run = await claimed(store, expires_at=10_000)
    await store.runs.set_process(run.id, run.attempt, 4321, 5.25)
    so_far = replace(RESULT, status=RunStatus.FAILED, output=None, error="Overloaded.")
    assert await store.runs.requeue(run.id, run.attempt, so_far, not_before=500)
    waiting = await store.runs.get(run.id)
    assert waiting == replace(
        run,
        status=RunStatus.QUEUED,
        not_before=500,
        expires_at=None,
        error="Overloaded.",
        cost_micro_usd=12_345,
        input_tokens=10,
        output_tokens=20,
        turns=3,
        worked_ms=7,
        session_id="s-1",
    )
    assert await store.runs.next_change_at(400) == 500
    assert await store.runs.claim_next(499) is None
    again = await store.runs.claim_next(500)
    assert again is not None
    assert (again.attempt, again.not_before, again.error) == (2, None, None)
    assert not await store.runs.finish(run.id, 1, RESULT, 600)
    assert not await store.runs.requeue(run.id, 1, RESULT, not_before=0)


async def test_a_run_that_waits_too_long_expires(store: Store) -> None:
    """Issue 7, 1 (time to live): it is not claimed at that instant any more."""
    late, patient = examples.run(expires_at=500), examples.run()
    for run in (late, patient):
        await store.runs.add(run)
    assert await store.runs.next_change_at(100) == 500
    assert await store.runs.expire(499, "Too late.") == ()
    claimed_run = await store.runs.claim_next(500)
    assert claimed_run is not None
    assert claimed_run.id == patient.id
    assert await store.runs.expire(500, "Too late.") == (late.id,)
    assert await store.runs.get(late.id) == replace(
        late, status=RunStatus.EXPIRED, error="Too late.", finished_at=500
    )
    assert await store.runs.next_change_at(100) is None


async def test_runs_of_full_jobs_are_passed_over(store: Store) -> None:
    """Issue 7, 1: a job with as many live runs as it may have keeps nobody else waiting."""
    job = examples.job()
    await store.jobs.add(job)
    theirs = examples.run(job_id=job.id, created_at=1)
    free = examples.run(created_at=2)
    for run in (theirs, free):
        await store.runs.add(run)
    waiting = await store.runs.waiting(100, limit=5)
    assert [run.id for run in waiting] == [theirs.id, free.id]
    taken = await store.runs.claim_next(100, without_jobs=[job.id])
    assert taken is not None
    assert taken.id == free.id
    assert await store.runs.claim_next(100, without_jobs=[job.id]) is None


async def test_unfinished_gives_the_queued_and_claimed_runs_of_a_job(store: Store) -> None:
    """Ours: what overlaps with a new run, and what must end before its job is deleted."""
    job = examples.job()
    await store.jobs.add(job)
    queued = examples.run(job_id=job.id, created_at=3)
    await store.runs.add(queued)
    starting = await claimed(store, job_id=job.id, created_at=1)
    finished = await claimed(store, job_id=job.id, created_at=2)
    await store.runs.finish(finished.id, finished.attempt, RESULT, 200)
    await claimed(store)
    assert await store.runs.unfinished(job.id) == (starting, queued)


async def test_a_transcript_comes_back_in_order(store: Store) -> None:
    """Ours: byte for byte, also what a JSON column would change."""
    run = examples.run()
    await store.runs.add(run)
    bodies = ['{"b":1, "a":1.0, "b":2}', '{"nul":"\\u0000"}', "é\U0001f600" * 1000]
    messages = [examples.message(run, seq, body) for seq, body in enumerate(bodies)]
    await store.runs.append_messages(messages[1:])
    await store.runs.append_messages(messages[:2])
    await store.runs.append_messages([])
    assert await store.runs.count_messages(run.id) == len(messages)
    assert await store.runs.messages(run.id) == tuple(messages)
    assert await store.runs.messages("run_nothere") == ()


async def test_a_message_that_is_there_stays_as_it_is(store: Store) -> None:
    """Ours: appending twice is harmless."""
    run = examples.run()
    await store.runs.add(run)
    await store.runs.append_messages([examples.message(run, 0, "first")])
    await store.runs.append_messages([examples.message(run, 0, "second")])
    assert [message.body for message in await store.runs.messages(run.id)] == ["first"]
