"""Times as callers write and read them: ISO 8601, in a job's zone. Pure."""

from collections.abc import Iterable
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.domain.units import shown
from gateway.jobs.errors import JobRefused

DAYS_AHEAD = 366
"""A zone whose clocks change does so within a year."""


def read_instant(name: str, text: str, timezone: str) -> int:
    """Return the time that the argument `name` gives, as milliseconds UTC. Raises JobRefused.

    Without an offset it is meant in `timezone`; of a time that comes twice, the first.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    # At the ends of the calendar a time has no counterpart in every zone.
    if moment is None or not MINYEAR < moment.year < MAXYEAR:
        raise JobRefused(
            name,
            f"The argument {name} is {shown(text)}, which is no time; write it as"
            f" '2026-12-24T18:00' ({timezone}) or '2026-12-24T18:00+01:00'.",
        )
    if moment.tzinfo is None:
        moment = _in_zone(name, text, moment, timezone)
    return int(moment.timestamp() * 1000)


def _in_zone(name: str, text: str, moment: datetime, timezone: str) -> datetime:
    local = moment.replace(tzinfo=ZoneInfo(timezone))
    if local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != moment:
        raise JobRefused(
            name,
            f"The argument {name} is {shown(text)}, which does not exist in {timezone}: the clocks"
            " are put forward over it; choose another time.",
        )
    return local


def local_times(instants: Iterable[int], timezone: str) -> list[str]:
    """Return times as ISO 8601 text with the offset that `timezone` has then.

    In UTC if the zone of a stored job is not known on this machine.
    """
    zone = _known_zone(timezone)
    return [
        datetime.fromtimestamp(at / 1000, zone).isoformat(timespec="seconds") for at in instants
    ]


def _known_zone(timezone: str) -> tzinfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def zone_note(timezone: str, now: int) -> str:
    """Return which zone times are in, and what happens when its clocks change."""
    zone = _known_zone(timezone)
    if zone is UTC:
        return "Times are in UTC."
    first = datetime.fromtimestamp(now / 1000, zone)
    offsets = {(first + timedelta(days=days)).utcoffset() for days in range(0, DAYS_AHEAD, 7)}
    if len(offsets) == 1:
        return f"Times are in {timezone}, whose clocks do not change."
    return (
        f"Times are in {timezone}, whose clocks change: a time that is left out in spring runs when"
        " the gap ends; one that comes twice in autumn runs once, the first time, but with '*' in"
        " the minute or hour each time."
    )
