"""Reads back what the children of a server wrote to standard error. Blocking.

Above: the gateway's tools. Below: the files that `stderr_log` writes.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from supervisor.children.stderr_log import FILES_KEPT, MAX_LINE_BYTES

STAMP_LENGTH = len("2026-01-01T00:00:00.000Z")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line and when it was written."""

    at: datetime | None
    """None: written before times were noted."""
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are asked for: the newest that meet all of it."""

    lines: int
    since: datetime | None = None
    contains: str = ""
    """Any case; '' is in every line."""


def read_log(path: Path, wanted: Wanted) -> tuple[LogLine, ...]:
    """Return lines of a log and of those it took the place of, oldest first. Raises OSError."""
    found: deque[LogLine] = deque(maxlen=wanted.lines)
    needle = wanted.contains.lower()
    for line in _lines(path):
        late_enough = wanted.since is None or (line.at is not None and line.at >= wanted.since)
        if late_enough and needle in line.text.lower():
            found.append(line)
    return tuple(found)


def _lines(path: Path) -> Iterator[LogLine]:
    older = [path.with_name(f"{path.name}.{n}") for n in range(FILES_KEPT - 1, 0, -1)]
    for each in (*older, path):
        if each.is_file():
            with each.open("rb") as file:
                yield from (parse_line(line) for line in file)


def parse_line(line: bytes) -> LogLine:
    """Return a line of the file."""
    stamp, _, rest = line.partition(b" ")
    at = _time(stamp)
    text = (line if at is None else rest)[:MAX_LINE_BYTES].decode("utf-8", "replace")
    return LogLine(at, text.rstrip("\r\n"))


def _time(stamp: bytes) -> datetime | None:
    if len(stamp) != STAMP_LENGTH or not stamp.endswith(b"Z"):
        return None
    try:
        return datetime.fromisoformat(stamp.decode("ascii")).astimezone(UTC)
    except ValueError:
        return None
