"""What the table of jobs promises, on both databases."""

from dataclasses import replace

from gateway.domain.job import CatchUp, OnInterrupt, Overlap
from gateway.store import Store
from tests.store import examples


async def test_a_job_comes_back_as_it_was_stored(store: Store) -> None:
    """Ours: every field survives, with and without the optional ones."""
    plain = examples.job()
    full = examples.job(
        created_at=11,
        model="claude-x",
        system_prompt="Be brief.",
        max_turns=7,
        timeout_s=1.5,
        budget_micro_usd=2**40,
        tools=(),
        enabled=False,
        next_fire_at=None,
        cron=None,
        at=5,
        paused_until=6,
        jitter_s=1.5,
        catch_up=CatchUp.ALL,
        catch_up_max=3,
        grace_s=0.5,
        overlap=Overlap.QUEUE_ONE,
        start_within_s=2.5,
        retries=4,
        concurrency=2,
        on_interrupt=OnInterrupt.RESUME,
        on_success="job_a",
        on_failure="job_b",
    )
    await store.jobs.add(full)
    await store.jobs.add(plain)
    assert await store.jobs.get(plain.id) == plain
    assert await store.jobs.get(full.id) == full
    assert await store.jobs.all() == (plain, full)
    assert await store.jobs.get("job_nothere") is None


async def test_an_update_replaces_everything_but_id_and_creation(store: Store) -> None:
    """Ours: a job keeps when it was made."""
    old = examples.job()
    await store.jobs.add(old)
    new = replace(old, name="new", cron="* * * * *", tools=(), enabled=False, updated_at=99)
    assert await store.jobs.reschedule(old, replace(new, created_at=77, next_fire_at=500))
    assert await store.jobs.get(old.id) == replace(new, next_fire_at=500)
    assert await store.jobs.update(new, replace(new, next_fire_at=600))
    assert await store.jobs.get(old.id) == replace(new, next_fire_at=500)


async def test_an_update_of_an_unknown_job_says_so(store: Store) -> None:
    """Ours: nothing is made by updating it."""
    job = examples.job()
    assert not await store.jobs.update(job, job)
    assert not await store.jobs.reschedule(job, job)
    assert await store.jobs.all() == ()


async def test_what_changed_or_paused_a_job_meanwhile_is_not_overwritten(store: Store) -> None:
    """Ours: whoever saves must have seen the job as it is."""
    old = examples.job()
    await store.jobs.add(old)
    assert await store.jobs.pause(old, 5000, next_fire_at=6000)
    paused = replace(old, paused_until=5000, next_fire_at=6000)
    for save in (store.jobs.update, store.jobs.reschedule):
        assert not await save(old, replace(old, name="new"))
        assert await store.jobs.get(old.id) == paused
    renamed = replace(paused, name="new", updated_at=99)
    assert await store.jobs.update(paused, renamed)
    assert not await store.jobs.reschedule(paused, replace(paused, paused_until=None))
    assert await store.jobs.get(old.id) == renamed


async def test_deleting_a_job_deletes_its_runs_and_their_messages(store: Store) -> None:
    """Ours: one transaction, and nothing of another job."""
    mine, theirs = examples.job(), examples.job()
    runs = [examples.run(job_id=mine.id), examples.run(job_id=theirs.id), examples.run()]
    for job in (mine, theirs):
        await store.jobs.add(job)
    for run in runs:
        await store.runs.add(run)
    await store.runs.append_messages([examples.message(run) for run in runs])

    assert await store.jobs.delete(mine.id)

    assert await store.jobs.all() == (theirs,)
    assert {run.id for run in await store.runs.list()} == {runs[1].id, runs[2].id}
    assert await store.runs.messages(runs[0].id) == ()
    assert len(await store.runs.messages(runs[1].id)) == 1
    assert not await store.jobs.delete(mine.id)


async def test_no_job_leads_to_a_deleted_one(store: Store) -> None:
    """Ours: in the same transaction; other chains stay."""
    gone, other = examples.job(), examples.job()
    leading = examples.job(on_success=gone.id, on_failure=other.id)
    for job in (gone, other, leading):
        await store.jobs.add(job)
    assert await store.jobs.delete(gone.id)
    assert await store.jobs.get(leading.id) == replace(leading, on_success=None)


async def test_due_gives_enabled_jobs_whose_instant_has_come(store: Store) -> None:
    """Ours: the longest due first."""
    late = examples.job(next_fire_at=500)
    now = examples.job(next_fire_at=1000)
    others = [
        examples.job(next_fire_at=1001),
        examples.job(next_fire_at=None),
        examples.job(next_fire_at=400, enabled=False),
    ]
    for job in (now, late, *others):
        await store.jobs.add(job)
    assert await store.jobs.due(1000) == (late, now)
    assert await store.jobs.next_due_at() == 500


async def test_nothing_is_due_when_no_job_is_enabled(store: Store) -> None:
    """Ours: the scheduler may sleep for good."""
    await store.jobs.add(examples.job(enabled=False))
    assert await store.jobs.next_due_at() is None
    assert await store.jobs.due(2**62) == ()


async def test_only_one_of_two_schedulers_advances_a_job(store: Store, other: Store) -> None:
    """Ours: who saw an older instant changes nothing."""
    job = examples.job()
    await store.jobs.add(job)
    assert await store.jobs.advance(job, 2000)
    assert not await other.jobs.advance(job, 3000)
    moved = replace(job, next_fire_at=2000)
    assert await other.jobs.get(job.id) == moved
    assert await other.jobs.advance(moved, None)
    assert await store.jobs.next_due_at() is None


async def test_what_was_due_is_stored_with_the_next_instant_or_not_at_all(
    store: Store, other: Store
) -> None:
    """Issue 7: one of two schedulers accounts for an instant; a run that is there stays."""
    job = examples.job()
    await store.jobs.add(job)
    earlier = examples.run(job_id=job.id, scheduled_for=900)
    await store.runs.add(earlier)
    mine = [examples.run(job_id=job.id, scheduled_for=at) for at in (900, 1000)]
    theirs = [examples.run(job_id=job.id, scheduled_for=at) for at in (1000, 1100)]
    assert await store.jobs.advance(job, 2000, rows=mine)
    assert not await other.jobs.advance(job, 3000, rows=theirs)
    assert {run.id for run in await store.runs.list()} == {earlier.id, mine[1].id}
    assert not await store.jobs.advance(examples.job(), 2, rows=theirs)


async def test_what_was_moved_or_changed_since_it_was_read_stays(store: Store) -> None:
    """Issue 7: of the scheduler and somebody who pauses or changes a job, the first one wins."""
    seen = examples.job()
    await store.jobs.add(seen)
    assert await store.jobs.advance(seen, 2000)
    assert not await store.jobs.pause(seen, 5000, next_fire_at=6000)
    assert not await store.jobs.reschedule(seen, replace(seen, cron="* * * * *"))
    moved = replace(seen, next_fire_at=2000)
    assert await store.jobs.get(seen.id) == moved
    # The next instant of the changed job is the same, the one after that need not be.
    assert await store.jobs.reschedule(moved, replace(moved, cron="0 8 * * 1", updated_at=99))
    assert not await store.jobs.advance(moved, 3000, rows=[examples.run(job_id=seen.id)])
    assert await store.runs.list() == ()


async def test_text_that_databases_cannot_hold_is_replaced(store: Store) -> None:
    """Ours: PostgreSQL has no NUL and neither database half a surrogate pair."""
    job = examples.job(prompt="a\x00b\ud800c", tools=("x\x00",), name="näme \U0001f600")
    await store.jobs.add(job)
    assert await store.jobs.get(job.id) == replace(
        job, prompt="a\ufffdb\ufffdc", tools=("x\ufffd",)
    )
    assert await store.jobs.get("job_\x00") is None
