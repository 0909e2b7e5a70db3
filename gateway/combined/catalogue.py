"""What a caller sees of all servers at once, and to which of them a name or a URI leads.

Tools come from the lists that the supervisor keeps, so that nothing is started by listing them.
Above: `endpoint`, `searching`. Below: `lists`, `table`.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import anyio

from gateway.combined.lists import Item, Kind, OtherLists
from gateway.combined.table import MAX_NAME_CHARACTERS, Entry, Table, build
from gateway.domain.view import View
from supervisor.children.wire import encode
from supervisor.errors import UnknownServer
from supervisor.events import ServerState
from supervisor.slots.slot import Slot
from supervisor.supervisor import Supervisor

log = logging.getLogger(__name__)

MAX_TABLES = 256
"""Built tables that are kept, a few for each kind of token in use; the oldest goes first."""

Items = tuple[Item, ...]
Sources = tuple[tuple[str, Items], ...]
TOOLS = "tools"


@dataclass(slots=True)
class _Built:
    sources: Sources
    table: Table


class Catalogue:
    """All lists, combined, for every view that callers have of them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.others = OtherLists(supervisor)
        self._supervisor = supervisor
        self._tables: dict[tuple[str, View | None], _Built] = {}
        self._entries: dict[tuple[str, str], tuple[Items, tuple[Entry, ...]]] = {}

    def slots(self, view: View | None = None) -> tuple[Slot, ...]:
        """Return the slots of all enabled servers that a view has anything of, by name."""
        slots = (self.slot(name, view) for name in self._supervisor.names)
        return tuple(slot for slot in slots if slot is not None)

    def slot(self, server: str, view: View | None) -> Slot | None:
        """Return the slot of an enabled server that a view has anything of."""
        if view is not None and not view.may_use(server):
            return None
        try:
            slot = self._supervisor.slot(server)
        except UnknownServer:
            return None
        return None if slot.state is ServerState.DISABLED else slot

    def tool_sources(self, view: View | None = None) -> Sources:
        """Return the servers of a view with all their tools, as the supervisor keeps them."""
        return tuple((slot.spec.name, slot.tools) for slot in self.slots(view))

    def tools(self, view: View | None) -> Table:
        """Return the tools of a view."""

        def seen(server: str, items: Items) -> Iterable[Entry]:
            entries = self._all(TOOLS, server, items, _tool)
            return entries if view is None else _in_view(view, entries, items)

        return self._table(TOOLS, view, self.tool_sources(view), seen, MAX_NAME_CHARACTERS)

    def news_of(self, server: str) -> frozenset[str]:
        """Return the capabilities of a server's child of which nothing was asked yet."""
        slot = self.slot(server, None)
        child = None if slot is None else slot.current
        return frozenset() if child is None else self.others.news_of(child)

    async def other(self, kind: Kind, view: View | None) -> Table:
        """Return prompts, resources or templates of a view, asking the servers that have news."""
        slots = self.slots(view)
        lists = await _gather(self.others, slots, kind)
        sources = tuple((slot.spec.name, items) for slot, items in zip(slots, lists, strict=True))
        make = _prompt if kind is Kind.PROMPTS else _by(kind.key)
        limit = MAX_NAME_CHARACTERS if kind is Kind.PROMPTS else None

        def seen(server: str, items: Items) -> Iterable[Entry]:
            return self._all(kind.method, server, items, make)

        return self._table(kind.method, view, sources, seen, limit)

    def _table(
        self,
        kind: str,
        view: View | None,
        sources: Sources,
        seen: Callable[[str, Items], Iterable[Entry]],
        max_key: int | None,
    ) -> Table:
        known = self._tables.get((kind, view))
        # Lists that did not change are the same objects, so this looks at no tool.
        if known is not None and known.sources == sources:
            return known.table
        entries = (entry for server, items in sources for entry in seen(server, items))
        table = build(entries, max_key=max_key)
        if known is None or known.table.refused != table.refused:
            for sentence in table.refused.values():
                log.warning("Not shown at /mcp/all: %s", sentence)
        while len(self._tables) >= MAX_TABLES:
            del self._tables[next(iter(self._tables))]
        self._tables.pop((kind, view), None)
        self._tables[kind, view] = _Built(sources, table)
        return table

    def _all(
        self, kind: str, server: str, items: Items, make: Callable[[str, Item], Entry]
    ) -> tuple[Entry, ...]:
        known = self._entries.get((kind, server))
        if known is None or known[0] is not items:
            known = items, tuple(make(server, item) for item in items)
            self._entries[kind, server] = known
        return known[1]

    def forget_gone(self) -> None:
        """Drop what is kept of servers that are no more."""
        names = frozenset(self._supervisor.names)
        self.others.forget(names)
        for key in [key for key in self._entries if key[1] not in names]:
            del self._entries[key]


async def _gather(others: OtherLists, slots: tuple[Slot, ...], kind: Kind) -> list[Items]:
    found: dict[str, Items] = {}

    async def ask(slot: Slot) -> None:
        found[slot.spec.name] = await others.of(slot, kind)

    async with anyio.create_task_group() as group:
        for slot in slots:
            group.start_soon(ask, slot)
    return [found[slot.spec.name] for slot in slots]


def full_name(server: str, name: str) -> str:
    """Return the name under which all servers' tools and prompts are told apart."""
    return f"mcp__{server}__{name}"


def _tool(server: str, tool: Item) -> Entry:
    return _named(full_name(server, str(tool["name"])), server, tool)


def _prompt(server: str, prompt: Item) -> Entry:
    return _named(full_name(server, prompt["name"]), server, prompt)


def _named(key: str, server: str, item: Item) -> Entry:
    return Entry(key, server, str(item["name"]), encode({**item, "name": key}))


def _by(member: str) -> Callable[[str, Item], Entry]:
    return lambda server, item: Entry(item[member], server, item[member], encode(item))


def _in_view(view: View, entries: tuple[Entry, ...], items: Items) -> Iterable[Entry]:
    names: Mapping[str, str] = dict(view.names)
    for entry, item in zip(entries, items, strict=True):
        if view.may_call(entry.server, entry.original):
            own = names.get(entry.key)
            yield entry if own is None else _named(own, entry.server, item)
