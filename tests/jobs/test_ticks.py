"""Which due instants fire and which are skipped."""

from datetime import UTC, datetime

from gateway.jobs.cron import parse
from gateway.jobs.ticks import MAX_COUNTED, Missed, Ticks, due_ticks

MINUTE = 60_000
HOUR = 60 * MINUTE
NOON = int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()) * 1000
HOURLY = parse("0 * * * *", "UTC")
EVERY_MINUTE = parse("* * * * *", "UTC")


def test_punctual_instant_fires_and_nothing_is_missed():
    """Ours: the usual case."""
    assert due_ticks(HOURLY, seen=NOON, now=NOON + 5, grace_ms=HOUR) == Ticks(
        fire=NOON, missed=None, following=NOON + HOUR
    )


def test_latest_missed_instant_within_the_grace_fires():
    """Ours (catch_up latest): one run makes up for the pause, the others are accounted for."""
    ticks = due_ticks(HOURLY, seen=NOON - 3 * HOUR, now=NOON + 20 * MINUTE, grace_ms=HOUR)
    assert ticks == Ticks(
        fire=NOON,
        missed=Missed(first=NOON - 3 * HOUR, last=NOON - HOUR, count=3),
        following=NOON + HOUR,
    )


def test_instant_older_than_the_grace_does_not_fire():
    """Ours: a brief of this morning is not sent in the evening."""
    daily = parse("0 8 * * *", "UTC")
    eight = NOON - 4 * HOUR
    assert due_ticks(daily, seen=eight, now=NOON, grace_ms=HOUR) == Ticks(
        fire=None, missed=Missed(eight, eight, 1), following=eight + 24 * HOUR
    )


def test_long_pause_of_a_minute_job_is_counted_up_to_a_bound():
    """Ours: a year's pause costs no more than a day's; the latest instant still fires."""
    seen = NOON - 90 * 24 * HOUR
    ticks = due_ticks(EVERY_MINUTE, seen=seen, now=NOON + 1, grace_ms=HOUR)
    assert ticks == Ticks(
        fire=NOON, missed=Missed(seen, NOON - MINUTE, MAX_COUNTED), following=NOON + MINUTE
    )
