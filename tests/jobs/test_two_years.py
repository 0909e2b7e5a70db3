"""Two simulated years of random schedules, with restarts, outages and jumps of the clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import anyio
import pytest
from cronsim import CronSim

from gateway.domain.ids import new_id
from gateway.domain.job import CatchUp, Job, Overlap
from gateway.domain.run import RunStatus
from gateway.jobs.calendar import instants_of, next_firings, offset_ms
from gateway.jobs.clock import SystemClock
from gateway.jobs.cron import parse
from gateway.jobs.limits import RunLimits
from gateway.jobs.scheduler import Scheduler
from gateway.jobs.ticks import MAX_COUNTED, Making, due
from gateway.store import Store
from tests.demonstrations import Counts, Demonstrations
from tests.jobs.ledger import DAY, HOUR, ZONES, Ledger, later, some_expression
from tests.jobs.test_runner import a_runner
from tests.store import examples

START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1000
YEARS = 2

pytestmark = pytest.mark.timeout(3600)
"""Only the full counts need it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One random schedule."""

    expression: str
    zone: str
    making: Making

    def instants(self, until: int) -> list[int]:
        """Return all instants after START."""
        schedule = parse(self.expression, self.zone)
        return list(takewhile(lambda at: at <= until, schedule.after(START)))


def some_case(dice: Random, number: int) -> Case:
    """Return a schedule with its rule for what was missed."""
    making = Making(
        dice.choice(list(CatchUp)), dice.choice((1, 3, 10)), dice.choice((0, HOUR, DAY))
    )
    return Case(some_expression(dice), ZONES[number % len(ZONES)], making)


def play(case: Case, dice: Random, until: int) -> tuple[Ledger, int]:
    """Return what becomes of the instants until `until`, and up to when they were looked at."""
    schedule, ledger = parse(case.expression, case.zone), Ledger()
    seen, now = next(schedule.after(START)), START
    while now < until:
        now = later(dice, seen)
        if dice.random() < 0.05:
            # The gateway is killed before it has stored anything; the next one looks later.
            due(schedule, seen=seen, now=now, making=case.making)
            now = later(dice, now)
        found = due(schedule, seen=seen, now=now, making=case.making)
        ledger.ran += found.fire
        if found.missed:
            ledger.stretches.append((found.missed.first, found.missed.last))
            assert found.missed.count <= MAX_COUNTED
        assert found.following is not None
        # A clock that is set back comes to the same instant a second time, but not to those before.
        seen = found.following
    return ledger, now


def test_every_instant_of_two_years_is_accounted_for_once(
    counts: Counts, demonstrations: Demonstrations
):
    """Issue 7: a run, or a row that says why; never both, never none."""
    dice, total, ran = Random(7), 0, 0  # noqa: S311 - a test that can be repeated
    schedules = counts(2, 200)
    until = START + YEARS * 365 * DAY
    for number in range(schedules):
        case = some_case(dice, number)
        ledger, seen_until = play(case, dice, until)
        instants = case.instants(seen_until)
        assert ledger.wrong(instants) == {}, case
        total += len(instants)
        ran += len(ledger.ran)
    demonstrations.record(
        "two simulated years of a random schedule with restarts, outages and clock jumps",
        schedules,
        f"{total} instants in {len(ZONES)} zones: {ran} ran, {total - ran} in rows that say why, "
        "each exactly once",
    )


def test_two_years_agree_with_cronsim_but_for_steps_at_clock_changes(
    counts: Counts, demonstrations: Demonstrations
):
    """Issue 7: an independent evaluator is the oracle; docs/jobs.md has the difference."""
    dice, compared, different = Random(8), 0, 0  # noqa: S311 - a test that can be repeated
    schedules = counts(2, 200)
    until = START + YEARS * 365 * DAY
    for number in range(schedules):
        case = some_case(dice, number)
        ours = set(case.instants(until))
        theirs = set(oracle(case, until))
        compared += len(theirs)
        for instant in ours ^ theirs:
            different += 1
            assert "*/" in case.expression, (case, instant)
            assert clocks_change_near(case.zone, instant), (case, instant)
    demonstrations.record(
        "two years of a random schedule against cronsim",
        schedules,
        f"{compared} instants, {different} different: steps at clock changes",
    )


def oracle(case: Case, until: int) -> Iterator[int]:
    """Yield the instants that cronsim gives."""
    first = datetime.fromtimestamp(START / 1000, ZoneInfo(case.zone))
    for moment in CronSim(case.expression, first):
        instant = int(moment.timestamp()) * 1000
        if instant > until:
            return
        yield instant


def clocks_change_near(zone: str, instant: int) -> bool:
    """Tell whether the zone's offset is another one within a day before, or some hours after."""
    moment = datetime.fromtimestamp(instant / 1000, UTC)
    offsets = {
        (moment + timedelta(hours=hours)).astimezone(ZoneInfo(zone)).utcoffset()
        for hours in (-24, -4, -2, 0, 2, 4)
    }
    return len(offsets) > 1


class SetClock(SystemClock):
    """Shows the time that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def now_ms(self) -> int:
        return self.now


async def test_instants_are_accounted_for_through_the_store(
    tmp_path: Path, counts: Counts, demonstrations: Demonstrations
):
    """Issue 7: the same with the real scheduler and rows, and runs that overlap."""
    dice, wanted = Random(9), counts(30, 2000)  # noqa: S311 - a test that can be repeated
    clock = SetClock()
    jobs = [some_job(dice, number) for number in range(12)]
    path = tmp_path / "jobs.db"
    with anyio.fail_after(3000):
        async with (
            Store.open(None, path=path) as store,
            a_runner(store, tmp_path, limits=RunLimits(0)) as runner,
        ):
            for job in jobs:
                await store.jobs.add(job)
            scheduler, accounted = Scheduler(store, runner, clock), 0
            while accounted < wanted:
                if dice.random() < 0.1:
                    scheduler = Scheduler(store, runner, clock)
                clock.now = max(later(dice, await store.jobs.next_due_at() or 0), clock.now)
                if dice.random() < 0.05:
                    clock.now -= int(dice.uniform(0, DAY))
                await scheduler.handle_due()
                await end_some(store, jobs, dice)
                accounted = sum([await count(store, job) for job in jobs])
            for job in jobs:
                assert await wrong(store, job) == {}, job
    demonstrations.record(
        "instants of 12 jobs through the scheduler and the store, with restarts and clock jumps",
        accounted,
        "each in exactly one run or row",
    )


def some_job(dice: Random, number: int) -> Job:
    """Return a job with rules of all kinds."""
    case = some_case(dice, number)
    job = examples.job(
        id=new_id("job"),
        cron=case.expression,
        timezone=case.zone,
        catch_up=case.making.catch_up,
        catch_up_max=case.making.most,
        grace_s=case.making.grace_ms / 1000,
        overlap=list(Overlap)[number % len(Overlap)],
        jitter_s=dice.choice((0.0, 30.0)),
    )
    return examples.job(**{**fields_of(job), "next_fire_at": next_firings(job, START, 1)[0]})


def fields_of(job: Job) -> dict[str, object]:
    """Return the fields of a job by name."""
    return {name: getattr(job, name) for name in Job.__dataclass_fields__}


async def end_some(store: Store, jobs: list[Job], dice: Random) -> None:
    """Let some of the waiting runs end."""
    for job in jobs:
        for run in await store.runs.unfinished(job.id):
            if dice.random() < 0.6:
                await store.runs.cancel_queued(run.id, START, "It is a test.")


async def count(store: Store, job: Job) -> int:
    """Return how many rows a job has."""
    return len(await store.runs.list(job.id, limit=10_000))


async def wrong(store: Store, job: Job) -> dict[int, int]:
    """Return the instants of a job that are not in exactly one run or row."""
    ledger = Ledger()
    for run in await store.runs.list(job.id, limit=10_000):
        assert run.scheduled_for is not None
        if run.status is RunStatus.SKIPPED:
            assert run.error
            ledger.stretches.append((run.scheduled_for, run.scheduled_until or run.scheduled_for))
        else:
            ledger.ran.append(run.scheduled_for)
    stored = await store.jobs.get(job.id)
    assert stored is not None
    assert stored.next_fire_at is not None
    end = stored.next_fire_at - offset_ms(job) - 1
    instants = list(takewhile(lambda at: at <= end, instants_of(job).after(START)))
    return ledger.wrong(instants)
