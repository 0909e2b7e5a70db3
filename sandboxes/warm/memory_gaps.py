"""Fills the gaps between the objects of this interpreter, so that its forks do not.

A new object goes into a gap where there is one, and a fork pays for that with a copy of the page
around it. Without gaps new objects lie together on fresh pages. Standard library only.
"""

import os
import sys
from collections.abc import Callable

SMALLEST = 16
OF_FLOATS = 32
BYTES_HEADER = sys.getsizeof(b"")
COLUMNS = 5
"""Of CPython's table of size classes: number, size, pools, blocks in use, blocks free."""


def fill() -> list[object]:
    """Return objects in all gaps; they are gaps again when the list goes.

    An interpreter without the table of its allocator keeps its gaps.
    """
    show = getattr(sys, "_debugmallocstats", None)
    return [] if show is None else [_objects(size, free) for size, free in _gaps(show)]


def _gaps(show: Callable[[], None]) -> list[tuple[int, int]]:
    table, kept = os.memfd_create("table"), os.dup(2)
    os.dup2(table, 2)
    show()
    os.dup2(kept, 2)
    text = os.pread(table, os.fstat(table).st_size, 0).decode("ascii", "replace")
    os.close(table)
    os.close(kept)
    rows = [line.split() for line in text.splitlines()]
    return [(int(row[1]), int(row[4])) for row in rows if len(row) == COLUMNS and row[0].isdigit()]


def _objects(size: int, count: int) -> list[object]:
    if size == SMALLEST:
        return [object() for _ in range(count)]
    if size == OF_FLOATS:
        return [float(number) for number in range(count)]
    return [bytes(size - BYTES_HEADER) for _ in range(count)]
