"""Days in the owner's zone."""

from datetime import UTC, datetime

import pytest

from gateway.budgets.days import day_of, days_before
from gateway.domain.budget import Day


def ms(text: str) -> int:
    """Return an ISO time in UTC as milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "zone", "name", "ends"),
    [
        ("2026-11-22T23:30:00", "Europe/Berlin", "2026-11-23", "2026-11-23T23:00:00"),
        ("2026-03-29T12:00:00", "Europe/Berlin", "2026-03-29", "2026-03-29T22:00:00"),
        ("2026-10-25T12:00:00", "Europe/Berlin", "2026-10-25", "2026-10-25T23:00:00"),
        ("2026-11-22T04:59:59", "America/New_York", "2026-11-21", "2026-11-22T05:00:00"),
    ],
)
def test_a_day_is_that_of_the_zone(now: str, zone: str, name: str, ends: str) -> None:
    """Issue 7, point 4: also on the days when clocks change."""
    assert day_of(ms(now), zone) == Day(name, ms(ends))


def test_days_are_counted_over_months() -> None:
    """Ours: of what is kept."""
    assert days_before("2026-03-01", 1) == "2026-02-28"
