"""What stands between one child's list of tools and everybody who reads it.

Every answer to `tools/list` goes through it, whoever asked. A page that was looked at before, and
everything else that a child says, passes as the bytes it is. Above: `child`, `link`.
"""

import hashlib

import msgspec

from supervisor.children.wire import parse_fields
from supervisor.pinning.definitions import Definition, read_page
from supervisor.pinning.pins import Pins, PinTable

MAX_KNOWN_PAGES = 128
"""More pages than a list may have."""
NO_TOOLS = msgspec.Raw(b'{"tools":[]}')


class Screen:
    """Holds what one child lists against the pins of its server."""

    def __init__(self, pins: Pins, origin: str, *, dynamic: bool) -> None:
        """`origin` names the code and packages of the child; `dynamic`: new tools may come."""
        self._pins = pins
        self._origin = origin
        self._dynamic = dynamic
        self._table: PinTable | None = pins.table(origin)
        self._first: dict[str, Definition] = {}
        self._settled = False
        self._known: set[bytes] = set()
        self._known_at = -1

    @property
    def holds_any(self) -> bool:
        """True while a tool of its code is not served."""
        return self._table is not None and bool(self._table.held)

    def settle(self) -> None:
        """Pin what a child of new code listed while it started: it takes calls from now on."""
        self._settled = True
        if self._table is not None:
            return
        self._table = self._pins.table(self._origin)
        if self._table is None:
            self._table = self._pins.pin(self._origin, self._first)
        else:
            # Another child of the same code was there first.
            self._compare(self._table, tuple(self._first.values()))
        self._first = {}

    def check(self, params: bytes | msgspec.Raw | None) -> None:
        """Accept a call. Raises ToolWithheld when the tool that it names is not served."""
        table = self._table
        if table is None or not (table.held or table.crowded):
            return
        refusal = self._pins.refusal_of(table, parse_fields(params).name or "")
        if refusal is not None:
            raise refusal

    def page(self, result: msgspec.Raw) -> msgspec.Raw:
        """Return one answer to `tools/list` without the tools that are not approved."""
        table = self._table
        mark = hashlib.sha256(result).digest()
        if table is not None and table.version == self._known_at and mark in self._known:
            return result
        page = read_page(result)
        if page is None:
            # Whoever starts the child reads for himself that this is no list.
            return NO_TOOLS if self._settled else result
        listed = page.definitions()
        if table is None:
            self._first |= {each.name: each for each in listed}
            return result
        refused = self._compare(table, listed)
        if refused:
            return page.without(refused)
        self._remember(table, mark)
        return result

    def _compare(self, table: PinTable, listed: tuple[Definition, ...]) -> frozenset[str]:
        return self._pins.compare(table, listed, dynamic=self._dynamic)

    def _remember(self, table: PinTable, mark: bytes) -> None:
        if table.version != self._known_at or len(self._known) >= MAX_KNOWN_PAGES:
            self._known.clear()
            self._known_at = table.version
        self._known.add(mark)
