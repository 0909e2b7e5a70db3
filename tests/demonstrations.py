"""The table of long demonstrations: tests report rows, `./claude-runner test --full` writes it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "docs" / "demonstrations.md"
HEAD = """# Demonstrations

What `./claude-runner test --full` showed when it last ran; it writes this file.

| shows | times | result |
|---|---|---|
"""

Counts = Callable[[int, int], int]


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One line of the table."""

    shows: str
    times: int
    result: str


class Demonstrations:
    """Collects rows; writes them only in a full run."""

    def __init__(self, *, full: bool) -> None:
        self.full = full
        self._rows: list[Row] = []

    def count(self, sample: int, full: int) -> int:
        """Return the stated count in a full run, else the sample's."""
        return full if self.full else sample

    def record(self, shows: str, times: int, result: str) -> None:
        """Add a row. `result` is one phrase with units, such as "worst 41 ms, none lost"."""
        self._rows.append(Row(shows, times, result))

    def write(self) -> None:
        """Write the table of a full run; rows of tests that did not run stay as they were."""
        if not self.full or not self._rows:
            return
        rows = {row.shows: row for row in (*_read(TABLE), *self._rows)}
        lines = (f"| {row.shows} | {row.times} | {row.result} |\n" for row in sorted(rows.values()))
        TABLE.write_text(HEAD + "".join(lines), encoding="utf-8")


def _read(table: Path) -> list[Row]:
    if not table.exists():
        return []
    lines = table.read_text("utf-8").splitlines()[len(HEAD.splitlines()) :]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if line)
    return [Row(shows, int(times), result) for shows, times, result in cells]
