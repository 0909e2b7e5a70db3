"""Which due instants fire and which are skipped."""

from datetime import UTC, datetime

import pytest

from gateway.domain.job import CatchUp
from gateway.jobs.cron import parse
from gateway.jobs.ticks import MAX_COUNTED, PUNCTUAL_MS, Due, Making, Missed, Once, Why, due

MINUTE = 60_000
HOUR = 60 * MINUTE
NOON = int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()) * 1000
HOURLY = parse("0 * * * *", "UTC")
EVERY_MINUTE = parse("* * * * *", "UTC")
LATEST = Making(CatchUp.LATEST, 10, HOUR)


def every(count: int, *, grace_ms: int = 24 * HOUR) -> Making:
    """Return the rule that makes up for `count` instants."""
    return Making(CatchUp.ALL, count, grace_ms)


def test_punctual_instant_fires_and_nothing_is_missed():
    """Ours: the usual case."""
    for catch_up in CatchUp:
        found = due(HOURLY, seen=NOON, now=NOON + 5, making=Making(catch_up, 10, HOUR))
        assert found == Due(fire=(NOON,), missed=None, following=NOON + HOUR)


def test_latest_missed_instant_within_the_grace_fires():
    """Ours (catch_up latest): one run makes up for the pause, the others are accounted for."""
    found = due(HOURLY, seen=NOON - 3 * HOUR, now=NOON + 20 * MINUTE, making=LATEST)
    assert found == Due(
        fire=(NOON,),
        missed=Missed(NOON - 3 * HOUR, NOON - HOUR, 3, Why.NEWER_RUN),
        following=NOON + HOUR,
    )


def test_instant_older_than_the_grace_does_not_fire():
    """Ours: a brief of this morning is not sent in the evening."""
    daily = parse("0 8 * * *", "UTC")
    eight = NOON - 4 * HOUR
    assert due(daily, seen=eight, now=NOON, making=LATEST) == Due(
        fire=(), missed=Missed(eight, eight, 1, Why.TOO_LATE), following=eight + 24 * HOUR
    )


@pytest.mark.parametrize(("late_ms", "fires"), [(PUNCTUAL_MS, True), (PUNCTUAL_MS + 1, False)])
def test_catch_up_none_lets_only_a_punctual_instant_fire(late_ms: int, fires: bool):
    """Ours (catch_up none): a busy second is not a miss."""
    found = due(HOURLY, seen=NOON, now=NOON + late_ms, making=Making(CatchUp.NONE, 10, HOUR))
    assert found == Due(
        fire=(NOON,) if fires else (),
        missed=None if fires else Missed(NOON, NOON, 1, Why.NONE_WANTED),
        following=NOON + HOUR,
    )


def test_catch_up_all_fires_the_newest_in_their_order():
    """Ours (catch_up all): up to its number, the older ones are accounted for."""
    found = due(HOURLY, seen=NOON - 5 * HOUR, now=NOON + MINUTE, making=every(3))
    assert found == Due(
        fire=(NOON - 2 * HOUR, NOON - HOUR, NOON),
        missed=Missed(NOON - 5 * HOUR, NOON - 3 * HOUR, 3, Why.NEWER_RUN),
        following=NOON + HOUR,
    )


def test_catch_up_all_fires_none_beyond_the_grace():
    """Ours: the grace holds for every one of them."""
    found = due(HOURLY, seen=NOON - 5 * HOUR, now=NOON, making=every(9, grace_ms=HOUR))
    assert found.fire == (NOON - HOUR, NOON)
    assert found.missed == Missed(NOON - 5 * HOUR, NOON - 2 * HOUR, 4, Why.NEWER_RUN)


def test_long_pause_of_a_minute_job_is_counted_up_to_a_bound():
    """Ours: a year's pause costs no more than a day's; the latest instant still fires."""
    seen = NOON - 90 * 24 * HOUR
    found = due(EVERY_MINUTE, seen=seen, now=NOON + 1, making=LATEST)
    assert found == Due(
        fire=(NOON,),
        missed=Missed(seen, NOON - MINUTE, MAX_COUNTED, Why.NEWER_RUN),
        following=NOON + MINUTE,
    )


def test_rare_instants_are_found_far_back():
    """Ours: a yearly job after two years of silence."""
    yearly = parse("0 12 1 6 *", "UTC")
    seen = int(datetime(2024, 6, 1, 12, tzinfo=UTC).timestamp()) * 1000
    found = due(yearly, seen=seen, now=NOON, making=LATEST)
    assert (found.fire, found.missed and found.missed.count) == ((NOON,), 2)


def test_single_instant_has_no_successor():
    """Ours: a job that runs once."""
    found = due(Once(NOON), seen=NOON, now=NOON + 1, making=LATEST)
    assert found == Due(fire=(NOON,), missed=None, following=None)
