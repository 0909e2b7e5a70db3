"""Which servers the overview shows: by state and name, a page at a time.

The same text is the query of the page and the argument of its live fragment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from supervisor.events import ServerState
from supervisor.snapshot import ServerSnapshot

PAGE_ROWS = 100
MAX_NAME = 40
"""Characters; no server's name is longer."""
TROUBLE = "trouble"
"""Stands for all states in which a server does not run and should."""
BROKEN = (ServerState.BACKOFF, ServerState.QUARANTINED, ServerState.FAILED)
STATES = {TROUBLE: BROKEN, **{state.value: (state,) for state in ServerState}}


@dataclass(frozen=True, slots=True)
class ServerFilter:
    """What a reader asked for."""

    state: str = ""
    """A key of STATES; empty: all."""
    name: str = ""
    """A part of names."""
    page: int = 1

    def argument(self) -> str:
        """Return it as a query without what is as usual."""
        pairs = {"state": self.state, "name": self.name, "page": self.page}
        return urlencode({key: value for key, value in pairs.items() if value not in ("", 1)})


@dataclass(frozen=True, slots=True)
class Cut:
    """The servers of a page, by name."""

    servers: Sequence[ServerSnapshot]
    first: int
    """Number of the first of them, from 1; 0 when there is none."""
    total: int
    """That fit the filter."""
    before: str | None
    """The query of the page before; None: this is the first."""
    after: str | None


def read_filter(given: Mapping[str, str]) -> ServerFilter:
    """Return what a query says; what cannot be meant is as usual."""
    state, page = given.get("state", ""), given.get("page", "")
    name = given.get("name", "").strip().lower()[:MAX_NAME]
    return ServerFilter(
        state=state if state in STATES else "",
        # No server's name has others, and coded they may be too many for a live fragment.
        name=name if name.isascii() else "",
        page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 6 else 1,
    )


def of_argument(argument: str) -> ServerFilter:
    """Return the filter of a live fragment."""
    return read_filter(dict(parse_qsl(argument)))


def cut(asked: ServerFilter, snapshots: Sequence[ServerSnapshot]) -> Cut:
    """Return the page that was asked for, or the last one when there are fewer."""
    states = STATES.get(asked.state)
    fitting = sorted(
        (
            each
            for each in snapshots
            if (states is None or each.state in states) and asked.name in each.name.lower()
        ),
        key=lambda each: each.name,
    )
    last = max(1, -(-len(fitting) // PAGE_ROWS))
    page = min(asked.page, last)
    start = (page - 1) * PAGE_ROWS
    return Cut(
        fitting[start : start + PAGE_ROWS],
        start + 1 if fitting else 0,
        len(fitting),
        replace(asked, page=page - 1).argument() if page > 1 else None,
        replace(asked, page=page + 1).argument() if page < last else None,
    )
