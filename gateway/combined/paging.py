"""Pages of a combined list. A cursor says which list it was given for; another list refuses it.

Source: MCP 2025-11-25 and 2026-07-28, server/utilities/pagination.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from gateway.combined.table import Entry, Table
from gateway.relay.refusal import INVALID_PARAMS, Refusal

PAGE_ENTRIES = 250
"""Some 200 kB of tool definitions."""
MAX_CURSOR_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and the cursor of the next one if there is one."""

    entries: Sequence[Entry]
    next_cursor: str | None


def page_of(table: Table, cursor: str | None) -> Page:
    """Return the page at `cursor`, the first one without.

    Raises:
        Refusal: the cursor is none of ours, or the list has changed since it was given.
    """
    start = 0 if cursor is None else _start(table, cursor)
    end = start + PAGE_ENTRIES
    entries = tuple(islice(table.entries.values(), start, end))
    return Page(entries, _cursor(table, end) if end < len(table.entries) else None)


def _cursor(table: Table, start: int) -> str:
    return base64.urlsafe_b64encode(f"{table.stamp}:{start}".encode()).decode()


def _start(table: Table, cursor: str) -> int:
    stamp, _, start = _decoded(cursor).partition(":")
    if stamp != table.stamp or not start.isdigit() or int(start) >= len(table.entries):
        raise Refusal(
            INVALID_PARAMS, "This cursor is not of the present list; list again from its beginning."
        )
    return int(start)


def _decoded(cursor: str) -> str:
    if len(cursor) > MAX_CURSOR_CHARACTERS:
        return ""
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
