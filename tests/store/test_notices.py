"""Notices are stored with what they are about, or not at all."""

from dataclasses import replace

import pytest

from gateway.domain.notice import Notice, Occasion
from gateway.domain.run import RunResult, RunStatus
from gateway.domain.secret import DataKey, Sealed
from gateway.notify.wording import RunEnd, expired
from gateway.store import Store
from tests.store import examples

F, S, C = RunStatus.FAILED, RunStatus.SUCCEEDED, RunStatus.CANCELLED


async def end_runs(store: Store, *statuses: RunStatus, after: int | None) -> list[list[Occasion]]:
    """End one run of a job after the other; return the occasions that each end was told as."""
    job = examples.job(notify_after=after)
    await store.jobs.add(job)
    told: list[list[Occasion]] = []
    for now, status in enumerate(statuses):
        run = examples.run(job_id=job.id)
        await store.runs.add(run)
        claimed = await store.runs.claim(run.id, 50)
        assert claimed is not None
        result = RunResult(status, error="It broke.")
        tell = RunEnd(job, claimed, result, now, usual_after=2).notice
        assert await store.runs.finish(run.id, claimed.attempt, result, now, tell=tell)
        # A writer of an attempt that was given up tells nothing.
        assert not await store.runs.finish(run.id, claimed.attempt, result, now, tell=tell)
        kept = [each.notice for each in await store.notices.newest(50)]
        told.append([notice.occasion for notice in kept if notice.at == now])
    return told


@pytest.mark.parametrize(
    ("after", "statuses", "failed_at", "recovered_at", "failures"),
    [
        (1, (F, F, S, S, F), {0, 4}, {2}, 1),
        (3, (F, F, S, F, F, RunStatus.TIMED_OUT, F, S), {5}, {7}, 0),
        (None, (F, C, RunStatus.INTERRUPTED, RunStatus.BUDGET), {2}, set[int](), 3),
        (0, (F, F, F, S), set[int](), set[int](), 0),
    ],
)
async def test_failures_in_a_row_are_told_once_and_their_end(
    store: Store,
    after: int | None,
    statuses: tuple[RunStatus, ...],
    failed_at: set[int],
    recovered_at: set[int],
    failures: int,
) -> None:
    """Issue 7, 8: after n in a row, per job and by setting; a cancelled run counts as neither."""
    told = await end_runs(store, *statuses, after=after)
    expected = [
        [Occasion.RUN_FAILED] * (number in failed_at)
        + [Occasion.RUN_RECOVERED] * (number in recovered_at)
        + [Occasion.BUDGET_REACHED] * (statuses[number] is RunStatus.BUDGET)
        for number in range(len(statuses))
    ]
    assert told == expected
    (job,) = await store.jobs.all()
    assert job.failures == failures
    await store.jobs.update(job, replace(job, failures=17, name="renamed"))
    (job,) = await store.jobs.all()
    assert (job.failures, job.name) == (failures, "renamed")


async def test_failures_of_a_webhook_are_told_as_those_of_a_job(store: Store) -> None:
    """Ours: nobody looks at what a program outside has started; a change keeps their count."""
    webhook = examples.webhook()
    await store.data_keys.add(DataKey("key_1", b"wrapped", 1))
    sealed = Sealed("key_1", b"sealed")
    await store.webhooks.add(webhook, secret_hash="h", sealed_secret=sealed)
    for now, status in enumerate((F, C, RunStatus.TIMED_OUT, F, S)):
        run = examples.run(webhook_id=webhook.id)
        await store.runs.add(run)
        claimed = await store.runs.claim(run.id, 50)
        assert claimed is not None
        tell = RunEnd(webhook, claimed, RunResult(status), now, usual_after=2).notice
        assert await store.runs.finish(run.id, 1, RunResult(status), now, tell=tell)
        if now == 3:
            assert await store.webhooks.update(replace(webhook, name="renamed"))
            failing = await store.webhooks.get(webhook.id)
            assert failing is not None
            assert (failing.failures, failing.name) == (3, "renamed")
    told = [each.notice for each in await store.notices.newest(9)]
    assert [(each.occasion, each.title, each.at) for each in told] == [
        (Occasion.RUN_RECOVERED, "Webhook deploys is well again", 4),
        (Occasion.RUN_FAILED, "Webhook deploys failed 2 times in a row", 2),
    ]


async def test_a_notice_that_cannot_be_made_leaves_the_run_as_it_was(store: Store) -> None:
    """Issue 7, 8: one transaction; the end of the run is stored with the notice or not at all."""
    job = examples.job()
    run = examples.run(job_id=job.id)
    await store.jobs.add(job)
    await store.runs.add(run)
    claimed = await store.runs.claim(run.id, 50)
    assert claimed is not None

    def broken(_before: int) -> Notice | None:
        raise RuntimeError("of this test")

    with pytest.raises(RuntimeError, match="of this test"):
        await store.runs.finish(run.id, claimed.attempt, RunResult(F), 100, tell=broken)
    assert await store.runs.get(run.id) == claimed
    (job,) = await store.jobs.all()
    assert job.failures == 0


async def test_runs_that_expire_are_told_together_with_their_end(store: Store) -> None:
    """Ours: for the owner who wants to hear of due times that did not run."""
    late = examples.run(expires_at=500)
    await store.runs.add(late)
    assert await store.runs.expire(500, "Too late.", lambda run: expired(run, 500)) == (late.id,)
    (kept,) = await store.notices.newest(5)
    assert kept.notice.occasion is Occasion.RUN_MISSED
    assert late.id in kept.notice.text
    assert "Too late." in kept.notice.text
