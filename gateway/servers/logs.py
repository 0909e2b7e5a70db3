"""What is shown at once of a server's log. Above: tools, pages."""

from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from supervisor.children.log_reader import LogLine, Wanted, read_log

MAX_LOG_CHARACTERS = 60_000


@dataclass(frozen=True, slots=True)
class LogPart:
    """The newest of the lines that were asked for, oldest first."""

    lines: tuple[LogLine, ...]
    cut: bool
    """True when older ones were left out, because all together are too long."""


async def newest_lines(log: Path, wanted: Wanted) -> LogPart:
    """Return lines of a log, MAX_LOG_CHARACTERS of them at most. Raises OSError."""
    found = await to_thread.run_sync(read_log, log, wanted)
    kept = _newest(found)
    return LogPart(kept, cut=len(kept) < len(found))


def _newest(lines: tuple[LogLine, ...]) -> tuple[LogLine, ...]:
    """Return as many of the last lines as may be shown."""
    room = MAX_LOG_CHARACTERS
    for place in range(len(lines) - 1, -1, -1):
        room -= len(lines[place].text) + 1
        if room < 0:
            return lines[place + 1 :]
    return lines
