"""What is removed, and what must stay."""

from typing import Any

from gateway.domain.notice import Occasion, new_notice
from gateway.domain.run import RunStatus, Trigger
from gateway.domain.token import Scope
from gateway.retention import NOTICES, RUNS_AT_ONCE, SPARED_FOR, TOKENS_FOR, Keeping, Retention
from gateway.store import Store
from gateway.store.schema import metadata, runs
from tests.store import examples

DAY = 24 * 3600 * 1000
NOW = 1_800_000_000_000
FAILED, SKIPPED = RunStatus.FAILED, RunStatus.SKIPPED


def retention(store: Store, *, kept: int = 1000, days: int = 10) -> Retention:
    """Return what removes, at NOW."""
    return Retention(store, Keeping(kept, days), lambda: NOW)


async def put(store: Store, age_days: float, **changes: Any) -> str:
    """Store an ended run of some age; return its id."""
    at = NOW - int(age_days * DAY)
    values: dict[str, Any] = {"status": FAILED, "created_at": at, "finished_at": at}
    if changes.get("status", FAILED) in (RunStatus.QUEUED, RunStatus.RUNNING):
        values.pop("finished_at")
    run = examples.run(**{**values, **changes})
    await store.runs.add(run)
    return run.id


async def left(store: Store) -> set[str]:
    """Return the ids of all runs."""
    return {run.id for run in await store.runs.list(limit=10_000)}


async def test_runs_go_by_age_with_what_belongs_to_them(store: Store) -> None:
    """Issue 7, 9: in several batches; a run that has not ended stays however old it is."""
    old = [await put(store, 11 + number / 100) for number in range(RUNS_AT_ONCE * 2 + 1)]
    run = await store.runs.get(old[0])
    assert run is not None
    await store.runs.append_messages([examples.message(run)])
    kept = {
        await put(store, 9),
        await put(store, 400, status=RunStatus.QUEUED),
        await put(store, 400, status=RunStatus.RUNNING),
        # Long ago in the queue, and ended now.
        await put(store, 400, finished_at=NOW),
    }
    await retention(store).sweep()
    assert await left(store) == kept
    assert await store.runs.messages(old[0]) == ()


async def test_runs_go_by_number_and_skipped_rows_do_not_count(store: Store) -> None:
    """Issue 7, 9: the newest stay."""
    ids = [await put(store, 3 + number) for number in range(6)]
    skipped = [await put(store, 3 + number, status=SKIPPED) for number in range(6)]
    await retention(store, kept=4, days=3650).sweep()
    assert await left(store) == {*ids[:4], *skipped}


async def test_what_a_schedule_needs_stays(store: Store) -> None:
    """Issue 7, 9: rows of due times of the last days, and the newest run of each job."""
    job, idle = examples.job(), examples.job()
    await store.jobs.add(job)
    await store.jobs.add(idle)
    newest = await put(store, 300, job_id=idle.id)
    await put(store, 301, job_id=idle.id)
    spared = SPARED_FOR.days
    recent = [
        await put(
            store,
            age,
            job_id=job.id,
            status=status,
            trigger=Trigger.CRON,
            scheduled_for=NOW - int(age * DAY),
        )
        for age, status in ((0.1, FAILED), (spared - 0.1, FAILED), (1.5, SKIPPED))
    ]
    old = await put(store, spared + 0.1, job_id=job.id, scheduled_for=NOW - 5 * DAY)
    await retention(store, kept=1, days=100).sweep()
    assert await left(store) == {newest, *recent}
    assert old not in await left(store)


async def test_notices_and_tokens_go_when_they_are_over(store: Store) -> None:
    """Issue 7, 9: a notice that is not told yet stays; a token that is valid stays."""
    for age, title in ((31, "told long ago"), (1, "told")):
        at = NOW - age * DAY
        await store.notices.add(new_notice(Occasion.PAUSED, "job_1", title, "Why.", at))
    await store.notices.settle(NOW, most=NOTICES, window_ms=1, summarise=_never)
    at = NOW - 31 * DAY
    await store.notices.add(new_notice(Occasion.PAUSED, "job_1", "new", "Why.", at))
    ended = NOW - TOKENS_FOR.days * DAY - 1
    for name, ends in (("gone", ended), ("ended", ended + DAY), ("valid", None)):
        token = examples.token(name=name, scopes=frozenset({Scope.RUN}), expires_at=ends)
        await store.tokens.add(token, f"hash of {name}")
    await retention(store).sweep()
    assert {each.notice.title for each in await store.notices.newest(9)} == {"told", "new"}
    assert {token.name for token in await store.tokens.all()} == {"ended", "valid"}


def test_whatever_belongs_to_a_run_goes_with_it() -> None:
    """Ours: rows that a deleted run left would be kept for ever."""
    belonging = {
        (each.name, key.ondelete)
        for each in metadata.sorted_tables
        for key in each.foreign_keys
        if key.column.table is runs
    }
    assert ("run_messages", "CASCADE") in belonging
    assert {ondelete for _, ondelete in belonging} == {"CASCADE"}


def _never(*_: Any) -> Any:
    raise AssertionError("there is nothing to sum up")
