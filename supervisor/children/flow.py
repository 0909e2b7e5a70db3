"""How much a child may say unasked, measured before anything is parsed. No clock of its own.

A child that says more is stopped: reading on would take the loop from its neighbours, and not
reading would hold back its own answers.
"""

from dataclasses import dataclass, field

LINES_PER_S = 5_000.0
"""Lines on standard output that answer nothing of ours; progress for every row of a table is less.
Reading so many takes a twentieth of a processor."""
LINES_AT_ONCE = 20_000
SLICE_BYTES = 4 * 1024
"""A longer line counts as several: 20 MB/s unasked are enough for anybody."""
STDERR_BYTES_PER_S = 2.0 * 1024 * 1024
"""Each byte is looked through for credentials and written to a log that keeps 30 MB."""
STDERR_BYTES_AT_ONCE = 32 * 1024 * 1024
NOTICES_PER_S = 500.0
"""Notifications that belong to no call; each goes to every session of the server."""
NOTICES_AT_ONCE = 5_000

JUNK_PER_S = 50.0
"""Lines that are not MCP: a stray `print` in a tool is called no more often for long."""
JUNK_AT_ONCE = 10_000


@dataclass(slots=True)
class Allowance:
    """A bucket that fills at a steady rate and never holds more than `at_once`."""

    per_s: float
    at_once: float
    _left: float = field(init=False)
    _at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._left = self.at_once

    def take(self, amount: float, now: float) -> bool:
        """Take from it at an instant, in seconds of any clock; False when it does not hold that."""
        self._left = min(self.at_once, self._left + (now - self._at) * self.per_s)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


@dataclass(slots=True)
class OutputFlow:
    """What one child says: as many lines as it was asked for are free, others are counted."""

    _free: int = 0
    _lines: Allowance = field(default_factory=lambda: Allowance(LINES_PER_S, LINES_AT_ONCE))
    _stderr: Allowance = field(
        default_factory=lambda: Allowance(STDERR_BYTES_PER_S, STDERR_BYTES_AT_ONCE)
    )
    _notices: Allowance = field(default_factory=lambda: Allowance(NOTICES_PER_S, NOTICES_AT_ONCE))
    _junk: Allowance = field(default_factory=lambda: Allowance(JUNK_PER_S, JUNK_AT_ONCE))

    def asked(self) -> None:
        """Note a request that was sent: a line that answers it may come, whatever its size."""
        self._free += 1

    def line(self, size: int, now: float) -> str | None:
        """Count a line; return what the child did when that is one too many."""
        if self._free:
            self._free -= 1
            return None
        if self._lines.take(1 + size // SLICE_BYTES, now):
            return None
        return f"it printed more than {LINES_PER_S:.0f} lines a second that nobody asked for"

    def notice(self, now: float) -> str | None:
        """Count a notification to all; return what the child did when that is one too many."""
        if self._notices.take(1, now):
            return None
        return f"it sent more than {NOTICES_PER_S:.0f} notifications a second"

    def junk(self, now: float) -> str | None:
        """Count a line that is not MCP; return what the child did when that is one too many."""
        if self._junk.take(1, now):
            return None
        return f"it printed more than {JUNK_PER_S:.0f} lines a second that are not MCP"

    def stderr(self, size: int, now: float) -> str | None:
        """Count bytes of standard error; return what the child did when those are too many."""
        if self._stderr.take(size, now):
            return None
        rate = STDERR_BYTES_PER_S / (1 << 20)
        return f"it wrote more than {rate:.0f} MiB a second to standard error"
