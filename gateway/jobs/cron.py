"""When a cron expression fires. Pure.

Five fields (minute hour day month weekday) in an IANA zone. Daylight saving: an instant that the
spring gap swallows fires when the gap ends; in the autumn fold an expression whose minute and hour
are fixed fires once, in the first pass, and one with `*` in either fires in both.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, CroniterError, croniter

from gateway.jobs.errors import InvalidCron

MAX_LENGTH = 200
REMEMBERED = 1000
"""Schedules; lists and pages look at the same ones again and again."""
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_ADVICE = "write five fields, minute hour day month weekday, such as '30 8 * * 1-5'"
_FIELD = re.compile(r"[0-9A-Za-z*?/,#-]+", re.ASCII)
_RANDOM = re.compile(r"(?i)(^|[,/-])[hr]($|[,/-])")
"""croniter's `H` and `R` stand for hashed or random values: another instant at every evaluation."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A checked expression in its zone. Instants are integer milliseconds UTC."""

    fields: str
    zone: ZoneInfo
    fixed_time: bool
    """Minute and hour name times of day, so that a repeated hour must not fire twice."""

    def after(self, instant: int) -> Iterator[int]:
        """Yield every due instant later than `instant`, in order; it may never end."""
        base = datetime.fromtimestamp(instant / 1000, UTC).astimezone(self.zone)
        ticks = croniter(self.fields, base)
        while (tick := _next(ticks)) is not None:
            if not (self.fixed_time and tick.fold):
                yield int(tick.timestamp()) * 1000


@lru_cache(REMEMBERED)
def parse(expression: str, timezone: str) -> Schedule:
    """Return the schedule of `expression` in `timezone`. Raises InvalidCron."""
    fields = _five_fields(expression)
    check_zone(timezone)
    try:
        croniter.expand(fields)
    except CroniterError as error:
        raise _unusable(expression, str(error)) from None
    minute, hour, *_ = fields.split()
    schedule = Schedule(fields, ZoneInfo(timezone), "*" not in minute + hour)
    if next(schedule.after(0), None) is None:
        raise _unusable(expression, "it never comes")
    return schedule


def check_zone(timezone: str) -> None:
    """Accept an IANA name. Raises InvalidCron."""
    if timezone not in _zones():
        meant = _zone_like(timezone)
        name = (
            f"the IANA name is {meant!r}" if meant else "use an IANA name such as 'Europe/Berlin'"
        )
        raise InvalidCron(f"There is no time zone {timezone[:80]!r}; {name}.")


def next_times(expression: str, timezone: str, after: int, count: int) -> tuple[int, ...]:
    """Return the next `count` due instants later than `after`. Raises InvalidCron."""
    return tuple(islice(parse(expression, timezone).after(after), count))


def _five_fields(expression: str) -> str:
    if len(expression) > MAX_LENGTH:
        raise InvalidCron(f"A cron expression has at most {MAX_LENGTH} characters; {_ADVICE}.")
    written = expression.strip().lower()
    if written.startswith("@"):
        if written not in _ALIASES:
            raise _unusable(expression, f"the words are {', '.join(_ALIASES)}")
        return _ALIASES[written]
    fields = expression.split()
    if len(fields) in (6, 7):
        raise _unusable(expression, "seconds and years are not supported")
    if len(fields) != 5:
        raise _unusable(expression, f"it has {len(fields)} fields")
    for field in fields:
        if not _FIELD.fullmatch(field) or _RANDOM.search(field):
            raise _unusable(expression, f"the field {field!r} is not understood")
    return " ".join(fields)


def _unusable(expression: str, reason: str) -> InvalidCron:
    return InvalidCron(
        f"Cron expression {expression!r} cannot be used: {reason.rstrip('.')}; {_ADVICE}."
    )


def _next(ticks: croniter) -> datetime | None:
    """Return the next instant; None: none comes within croniter's horizon of 50 years."""
    try:
        return ticks.get_next(datetime)
    except CroniterBadDateError:
        return None


def _zone_like(timezone: str) -> str | None:
    """Return the zone whose name, or whose city, is written like this but for case."""
    wanted = timezone.strip().casefold().replace(" ", "_")
    names = ((zone, zone.casefold()) for zone in sorted(_zones()))
    return next((z for z, name in names if wanted in (name, name.rpartition("/")[2])), None)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
