"""Calendar days in the gateway's zone. Pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.budget import Day


def day_of(now: int, zone: str) -> Day:
    """Return the day of an instant, in milliseconds UTC."""
    tz = ZoneInfo(zone)
    local = datetime.fromtimestamp(now / 1000, tz).date()
    following = local + timedelta(days=1)
    midnight = datetime(following.year, following.month, following.day, tzinfo=tz)
    return Day(local.isoformat(), int(midnight.astimezone(UTC).timestamp() * 1000))


def day_begins(now: int, zone: str) -> int:
    """Return when the day of an instant began; both in milliseconds UTC."""
    tz = ZoneInfo(zone)
    today = datetime.fromtimestamp(now / 1000, tz).date()
    midnight = datetime(today.year, today.month, today.day, tzinfo=tz)
    return int(midnight.astimezone(UTC).timestamp() * 1000)


def days_before(day: str, count: int) -> str:
    """Return the day that lies so many days before."""
    return (datetime.fromisoformat(day).date() - timedelta(days=count)).isoformat()
