"""What is pinned of one server's tools, and what waits for its owner's approval. No I/O.

Above: `screen`, which holds a child's lists against it, and the slot. The gateway keeps the record
that `DefinitionsPinned` carries, and hands it back at the next start.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from supervisor.children.wire import encode
from supervisor.errors import NotPending, ToolWithheld
from supervisor.events import DefinitionsPinned, Event, ToolJudged, ToolQuarantined
from supervisor.pinning.definitions import Definition

log = logging.getLogger(__name__)

MAX_PINNED = 10_000
"""Names of one server; more than a list may have, and a bound for one that invents names."""
MAX_QUARANTINED = 200
"""Definitions of one server that wait for approval; tools beyond that are withheld unseen."""
DIGEST_CHARACTERS = 12
"""Of a digest that people are shown, and the fewest by which they can name it."""


@dataclass(frozen=True, slots=True)
class QuarantinedTool:
    """A tool that is not served, because its definition is not one that was approved."""

    server: str
    tool: str
    listed: Definition
    """As its child describes it now."""
    approved: Definition | None
    """None: a tool that came without an edit."""
    since: float
    """Seconds since the epoch."""
    rejected: bool = False
    """The owner looked and said no; it stays out."""

    @property
    def reason(self) -> str:
        """Why, as one clause."""
        return (
            "the server began to list it without an edit of its code"
            if self.approved is None
            else "its definition changed without an edit of its server"
        )


@dataclass(slots=True)
class PinTable:
    """The definitions that belong to one state of a server's code and packages."""

    origin: str
    pinned: dict[str, Definition] = field(default_factory=dict[str, Definition])
    """Also of tools that are listed no more: one that comes back is held against its own."""
    held: dict[str, QuarantinedTool] = field(default_factory=dict[str, QuarantinedTool])
    crowded: bool = False
    """More wait than are kept: a name that is not pinned is withheld."""
    version: int = 0
    """Counts changes."""

    def withholds(self, tool: str) -> bool:
        """Return whether a tool is not served."""
        return tool in self.held or (self.crowded and tool not in self.pinned)


class Pins:
    """The table of one server, for as long as the supervisor lives."""

    def __init__(
        self,
        server: str,
        record: bytes | None,
        *,
        emit: Callable[[Event], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`record` is what the last `DefinitionsPinned` of an earlier life carried, if any."""
        self._server = server
        self._emit = emit
        self._now = now
        self._on_hold: Callable[[], None] = _nobody
        self._table, self._unreadable = _read(server, record)

    @property
    def quarantined(self) -> tuple[QuarantinedTool, ...]:
        """The tools that wait for approval or were refused it, by name."""
        held = self._table.held if self._table is not None else {}
        return tuple(held[name] for name in sorted(held))

    def listen(self, on_hold: Callable[[], None]) -> None:
        """Have somebody told when a list holds what is not approved, or what was held is free."""
        self._on_hold = on_hold

    def table(self, origin: str) -> PinTable | None:
        """Return the table for code of this origin; None when it is new, and lists what it likes.

        Pins that cannot be read belong to no code: then every tool waits for approval.
        """
        if self._unreadable:
            self._table, self._unreadable = PinTable(origin), False
        table = self._table
        return table if table is not None and table.origin == origin else None

    def pin(self, origin: str, listed: Mapping[str, Definition]) -> PinTable:
        """Pin what the first child of an origin listed, in place of all that was pinned before."""
        self._table = PinTable(origin, dict(list(listed.items())[:MAX_PINNED]))
        self._changed(self._table)
        return self._table

    def compare(
        self, table: PinTable, listed: tuple[Definition, ...], *, dynamic: bool
    ) -> frozenset[str]:
        """Hold a list against a table; return the names that must not be served.

        `dynamic`: tools that are new are pinned as they are first seen.
        """
        before = table.version
        refused = {d.name for d in listed if not self._admit(table, d, dynamic=dynamic)}
        if table.version != before:
            self._changed(table)
            self._on_hold()
        return frozenset(refused)

    def refusal(self, tool: str) -> ToolWithheld | None:
        """Return why a tool is not served now, or None."""
        return None if self._table is None else self.refusal_of(self._table, tool)

    def refusal_of(self, table: PinTable, tool: str) -> ToolWithheld | None:
        """Return why a tool is not served by children of a table, or None."""
        if not table.withholds(tool):
            return None
        found = table.held.get(tool)
        if found is None:
            return ToolWithheld(self._server, tool, "too many of its tools are not approved")
        return ToolWithheld(self._server, tool, found.reason)

    def approve(self, tool: str, digest: str) -> None:
        """Pin the definition with this digest, as the owner's wish. Raises NotPending."""
        table, found = self._pending(tool, digest)
        table.pinned[tool] = found.listed
        del table.held[tool]
        table.crowded = False
        self._judged(table, tool, approved=True)
        self._on_hold()

    def reject(self, tool: str, digest: str) -> None:
        """Keep a definition out for good, as the owner's wish. Raises NotPending."""
        table, found = self._pending(tool, digest)
        table.held[tool] = replace(found, rejected=True)
        self._judged(table, tool, approved=False)

    def _judged(self, table: PinTable, tool: str, *, approved: bool) -> None:
        table.version += 1
        self._emit(ToolJudged(self._server, tool, approved))
        self._changed(table)

    def _pending(self, tool: str, digest: str) -> tuple[PinTable, QuarantinedTool]:
        table = self._table
        found = table.held.get(tool) if table is not None else None
        if table is None or found is None:
            raise NotPending(f"No definition of tool {tool!r} of {self._server!r} waits.")
        if len(digest) < DIGEST_CHARACTERS or not found.listed.digest.startswith(digest):
            raise NotPending(
                f"The definition of tool {tool!r} of {self._server!r} that waits is "
                f"{found.listed.digest[:DIGEST_CHARACTERS]}, not {digest[:64]!r}; look at it again."
            )
        return table, found

    def _admit(self, table: PinTable, listed: Definition, *, dynamic: bool) -> bool:
        name, pinned = listed.name, table.pinned.get(listed.name)
        if pinned is not None and pinned.digest == listed.digest:
            if table.held.pop(name, None) is not None:
                table.version += 1
            return True
        if pinned is None and dynamic and len(table.pinned) < MAX_PINNED:
            table.pinned[name] = listed
            table.held.pop(name, None)
            table.version += 1
            return True
        self._hold(table, listed, pinned)
        return False

    def _hold(self, table: PinTable, listed: Definition, pinned: Definition | None) -> None:
        held = table.held.get(listed.name)
        if held is not None and held.listed.digest == listed.digest:
            return
        if held is None and len(table.held) >= MAX_QUARANTINED:
            if not table.crowded:
                table.crowded = True
                table.version += 1
            return
        found = QuarantinedTool(self._server, listed.name, listed, pinned, self._now())
        table.held[listed.name] = found
        table.version += 1
        self._emit(ToolQuarantined(self._server, listed.name, found.reason))

    def _changed(self, table: PinTable) -> None:
        # The table of code that has been replaced is nobody's any more.
        if table is self._table:
            self._emit(DefinitionsPinned(self._server, _record(table)))


class _Held(msgspec.Struct):
    tool: str
    listed: msgspec.Raw
    since: float
    rejected: bool


class _Record(msgspec.Struct):
    origin: str
    pinned: dict[str, msgspec.Raw]
    held: list[_Held]
    crowded: bool


_reader = msgspec.json.Decoder(_Record)


def _record(table: PinTable) -> bytes:
    pinned = {name: msgspec.Raw(found.text) for name, found in table.pinned.items()}
    held = [
        _Held(each.tool, msgspec.Raw(each.listed.text), each.since, each.rejected)
        for each in table.held.values()
    ]
    return encode(_Record(table.origin, pinned, held, table.crowded))


def _read(server: str, record: bytes | None) -> tuple[PinTable | None, bool]:
    """Return the table in a record, if there is one, and whether there is one that is no record."""
    if record is None:
        return None, False
    try:
        found = _reader.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.error("Pins of server %s cannot be read, its tools need approval: %s", server, error)
        return None, True
    pinned = {name: Definition(name, bytes(text)) for name, text in found.pinned.items()}
    held = {
        each.tool: QuarantinedTool(
            server,
            each.tool,
            Definition(each.tool, bytes(each.listed)),
            pinned.get(each.tool),
            each.since,
            each.rejected,
        )
        for each in found.held
    }
    return PinTable(found.origin, pinned, held, found.crowded), False


def _nobody() -> None:
    """Nobody wants to know yet."""
