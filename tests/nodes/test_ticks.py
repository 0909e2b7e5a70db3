"""Due times of jobs on two nodes: each fires once, whoever comes first."""

import random

import anyio
import pytest

from gateway.domain.job import Overlap
from gateway.domain.run import RunStatus, Trigger
from gateway.jobs.scheduler import Scheduler
from tests.demonstrations import Counts, Demonstrations
from tests.jobs.world import NOON, VirtualClock
from tests.nodes.conftest import Peers
from tests.store import examples

MINUTE = 60_000
APART_MS = 3_000
"""How far the clocks of two nodes may be from each other here."""


@pytest.mark.timeout(600)
async def test_two_schedulers_fire_each_due_time_once(
    peers: Peers, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue 10, 3: every node may insert, the unique key decides, nothing is lost or doubled."""
    jobs, minutes = counts(8, 100), counts(4, 100)
    first, second = [await peers.start(name) for name in ("one", "two")]
    made = [
        examples.job(cron="* * * * *", timezone="UTC", overlap=Overlap.ALLOW, next_fire_at=NOON)
        for _ in range(jobs)
    ]
    for job in made:
        await first.store.jobs.add(job)
    clocks = [VirtualClock(NOON), VirtualClock(NOON)]
    schedulers = [
        Scheduler(peer.store, peer.runner, clock)
        for peer, clock in zip((first, second), clocks, strict=True)
    ]
    dice = random.Random(10)  # noqa: S311 - can be repeated
    for minute in range(minutes):
        for clock in clocks:
            clock.now = NOON + minute * MINUTE + dice.randrange(APART_MS)
        async with anyio.create_task_group() as group:
            for scheduler in schedulers:
                group.start_soon(scheduler.handle_due)
    fired = await first.store.runs.list(limit=2 * jobs * minutes)
    expected = {(job.id, NOON + minute * MINUTE) for job in made for minute in range(minutes)}
    assert {(run.job_id, run.scheduled_for) for run in fired} == expected
    assert len(fired) == len(expected)
    assert {(run.status, run.trigger) for run in fired} == {(RunStatus.QUEUED, Trigger.CRON)}
    demonstrations.record(
        "due times of jobs that two schedulers look at together on one PostgreSQL",
        len(expected),
        f"{len(fired)} runs, each due time once; clocks up to {APART_MS / 1000:g} s apart",
    )
