"""Jobs that run after a run of another one."""

from pathlib import Path

import anyio
import pytest

from gateway.domain.run import RunResult, RunStatus, Trigger
from gateway.jobs.chain import MAX_DEPTH, MAX_PASSED_CHARS, chained_run, follower_id
from tests.databases import open_store
from tests.jobs.parts import a_run
from tests.jobs.test_runner import a_runner
from tests.store import examples
from tests.waiting import PATIENCE_S

JOB = examples.job(on_success="job_next", on_failure="job_mend")
FAILURES = {RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.BUDGET, RunStatus.INTERRUPTED}


@pytest.mark.parametrize("status", [each for each in RunStatus if each.final])
def test_a_job_follows_success_or_failure_and_nothing_else(status: RunStatus):
    """Issue 7, 1: what was cancelled, skipped or expired leads nowhere."""
    expected = "job_mend" if status in FAILURES else None
    expected = "job_next" if status is RunStatus.SUCCEEDED else expected
    assert follower_id(JOB, a_run(), status) == expected


def test_a_chain_has_an_end():
    """Ours: also where jobs that were changed one after the other lead in a circle."""
    assert follower_id(JOB, a_run(chain_depth=MAX_DEPTH), RunStatus.SUCCEEDED) is None


def test_what_a_run_said_is_passed_on_as_data():
    """Issue 7, 1 (with the output): between markers that the run could not know, and bounded."""
    follower = examples.job(prompt="Send it.")
    run = a_run(job_id=JOB.id, chain_depth=2)
    said = RunResult(RunStatus.SUCCEEDED, output="x" * 2 * MAX_PASSED_CHARS)
    first, second = (chained_run(follower, JOB, run, said, 7) for _ in range(2))
    assert first.prompt.startswith(f"Send it.\n\nThis follows run {run.id} of job {JOB.id}")
    assert len(first.prompt) < MAX_PASSED_CHARS + 1000
    assert first.prompt != second.prompt
    assert (first.trigger, first.job_id, first.chained_from, first.chain_depth) == (
        Trigger.CHAIN,
        follower.id,
        run.id,
        3,
    )
    failed = RunResult(RunStatus.FAILED, output="Half.", error="It broke.")
    assert "It broke.\nHalf.</run-" in chained_run(follower, JOB, run, failed, 7).prompt


async def test_the_end_of_a_run_queues_the_next_one(tmp_path: Path):
    """Issue 7, 1: here a run that fails for want of a key leads to the one that mends it."""
    mend = examples.job(enabled=False)
    job = examples.job(on_failure=mend.id)
    run = a_run(job_id=job.id)
    async with open_store(tmp_path / "jobs.db") as store:
        for each in (mend, job):
            await store.jobs.add(each)
        with anyio.fail_after(PATIENCE_S):
            async with a_runner(store, tmp_path) as runner:
                await runner.submit(run)
                await runner.wait(run.id)
                (following,) = await store.runs.list(mend.id)
                await runner.wait(following.id)
    assert following.chained_from == run.id
    assert "ANTHROPIC_API_KEY is not set" in following.prompt
