"""Cron expressions: what is accepted, and when they fire."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from gateway.jobs.cron import next_times, parse
from gateway.jobs.errors import InvalidCron

BERLIN = "Europe/Berlin"
ZONES = [
    "UTC", BERLIN, "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo",
    "Australia/Lord_Howe", "Pacific/Auckland", "Africa/Casablanca", "America/Santiago",
    "Europe/Dublin", "Pacific/Apia",
]  # fmt: skip
EXPRESSIONS = [
    "30 2 * * *", "0 3 * * *", "15 1 * * *", "10,40 1-3 * * *", "0 0 * * *", "*/15 * * * *",
    "0 * * * *", "0 9 * * 1-5", "0 12 1 * *", "0 0 * * 0", "45 23 L * *",
]  # fmt: skip
CLOCK_CHANGES_2026 = [(3, 6), (3, 27), (4, 3), (9, 4), (9, 25), (10, 2), (10, 23), (10, 30)]


def at(*parts: int, zone: str = "UTC", fold: int = 0) -> int:
    """Return a wall-clock time as milliseconds UTC."""
    moment = datetime(*parts, tzinfo=ZoneInfo(zone), fold=fold)  # pyright: ignore[reportArgumentType]
    return int(moment.timestamp()) * 1000


def oracle(expression: str, zone: str, start: int, count: int) -> tuple[int, ...]:
    """Return the instants that cronsim, an independent evaluator, gives."""
    simulation = CronSim(expression, datetime.fromtimestamp(start / 1000, ZoneInfo(zone)))
    return tuple(int(next(simulation).timestamp()) * 1000 for _ in range(count))


def test_weekday_job_fires_at_its_local_time():
    """Ours: times are those of the job's zone, Monday is 1."""
    start = at(2026, 11, 20, 12, zone=BERLIN)
    assert next_times("30 8 * * 1-5", BERLIN, start, 2) == (
        at(2026, 11, 23, 8, 30, zone=BERLIN),
        at(2026, 11, 24, 8, 30, zone=BERLIN),
    )


def test_repeated_hour_fires_a_fixed_time_once():
    """Ours (DESIGN 16): the second pass of the autumn fold is dropped for fixed times."""
    start = at(2026, 10, 24, 12, zone=BERLIN)
    assert next_times("30 2 * * *", BERLIN, start, 2) == (
        at(2026, 10, 25, 2, 30, zone=BERLIN, fold=0),
        at(2026, 10, 26, 2, 30, zone=BERLIN),
    )


def test_repeated_hour_fires_a_step_expression_in_both_passes():
    """Ours (DESIGN 16): `*` in minute or hour means every real hour."""
    start = at(2026, 10, 25, 1, 59, zone=BERLIN)
    times = next_times("*/30 * * * *", BERLIN, start, 5)
    assert [later - earlier for earlier, later in pairwise(times)] == [30 * 60 * 1000] * 4


def test_swallowed_time_fires_when_the_gap_ends():
    """Ours: 02:30 in the spring gap becomes 03:00 summer time."""
    start = at(2026, 3, 28, 12, zone=BERLIN)
    assert next_times("30 2 * * *", BERLIN, start, 1) == (at(2026, 3, 29, 3, zone=BERLIN),)


@pytest.mark.parametrize("zone", ZONES)
def test_clock_change_weeks_agree_with_cronsim(zone: str):
    """Ours: an independent evaluator is the oracle over the weeks when clocks change."""
    for month, day in CLOCK_CHANGES_2026:
        start = at(2026, month, day, zone="UTC")
        for expression in EXPRESSIONS:
            ours = next_times(expression, zone, start, 20)
            assert ours == oracle(expression, zone, start, 20), (zone, expression, month)


def test_words_mean_their_five_fields():
    """Ours: @daily and its like are accepted."""
    start = at(2026, 1, 1, 5)
    assert next_times("@daily", "UTC", start, 1) == (at(2026, 1, 2),)
    assert next_times(" @Hourly ", "UTC", start, 1) == (at(2026, 1, 1, 6),)


def test_leap_day_is_found_years_ahead():
    """Ours: a rare date is a schedule like any other."""
    assert next_times("0 0 29 2 *", "UTC", at(2026, 1, 1), 1) == (at(2028, 2, 29),)


@pytest.mark.parametrize(
    "expression",
    [
        "", "   ", "nonsense", "* * * *", "* * * * * *", "0 0 * * * * *", "60 * * * *",
        "0 24 * * *", "0 0 0 * *", "0 0 30 2 *", "0 0 * 13 *", "a b c d e", "@reboot", "@every 5m",
        "H H * * *", "R * * * *", "*/0 * * * *", "5-1-9 * * * *", "* * * * *;rm", "* " * 150,
        "٣ * * * *", "0 0 * * 9",
    ],
)  # fmt: skip
def test_bad_expression_is_refused_in_one_sentence(expression: str):
    """Ours: what is wrong and what to write."""
    with pytest.raises(InvalidCron) as refusal:
        parse(expression, "UTC")
    sentence = str(refusal.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "five fields" in sentence


@pytest.mark.parametrize("zone", ["", "Berlin", "../UTC", "/etc/localtime", "Mars/Olympus"])
def test_bad_zone_is_refused_in_one_sentence(zone: str):
    """Ours: only IANA names, never a path."""
    with pytest.raises(InvalidCron, match="IANA"):
        parse("0 0 * * *", zone)


@pytest.mark.parametrize("zone", ["Berlin", "europe/berlin", " BERLIN"])
def test_a_zone_that_is_nearly_named_is_told(zone: str):
    """Ours: whoever writes the city, or small letters, need not look it up."""
    with pytest.raises(InvalidCron, match="the IANA name is 'Europe/Berlin'"):
        parse("0 0 * * *", zone)


def test_instants_are_strictly_increasing_over_a_year():
    """Ours: no instant twice, none backwards, in the zone with the half-hour change."""
    zone = "Australia/Lord_Howe"
    times = next_times("10,40 1-3 * * *", zone, at(2026, 1, 1), 6 * 365)
    assert list(times) == sorted(set(times))
    span = datetime.fromtimestamp(times[-1] / 1000, UTC) - datetime(2026, 1, 1, tzinfo=UTC)
    assert timedelta(days=363) < span < timedelta(days=367)
