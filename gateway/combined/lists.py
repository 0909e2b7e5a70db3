"""Prompts, resources and templates of the servers: asked of running children, kept until changed.

No child is started for a list. While a server sleeps, what its code listed last stays, as its tools
do; what was never asked for is not there yet. Above: `catalogue`.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

import anyio

from supervisor.children.child import Child
from supervisor.errors import NotMcp, RequestRefused, SupervisorError
from supervisor.slots.slot import Slot
from supervisor.supervisor import Supervisor

log = logging.getLogger(__name__)

MAX_PAGES = 100
MAX_ITEMS = 10_000
"""Of one list of one server; what comes behind them is left out."""
ASK_TIMEOUT_S = 10.0
"""For one page; a server that is silent for longer is left out for a while."""
ASK_AGAIN_S = 30.0

Item = Mapping[str, Any]


class Kind(Enum):
    """A list that children are asked for; the value has method, member, key and capability."""

    PROMPTS = ("prompts/list", "prompts", "name", "prompts")
    RESOURCES = ("resources/list", "resources", "uri", "resources")
    TEMPLATES = ("resources/templates/list", "resourceTemplates", "uriTemplate", "resources")

    @property
    def method(self) -> str:
        """The request that asks for it."""
        return self.value[0]

    @property
    def member(self) -> str:
        """Where a result holds the list."""
        return self.value[1]

    @property
    def key(self) -> str:
        """The member of an item by which it is known."""
        return self.value[2]

    @property
    def capability(self) -> str:
        """What a child declares that has such a list."""
        return self.value[3]


@dataclass(slots=True)
class _Kept:
    items: tuple[Item, ...]
    digest: str
    """Of the code that listed them."""
    generation: int | None
    """Of the child that listed them; None: they have changed since."""
    failed_at: float | None = None
    """When the last question got no answer, on the monotonic clock."""


class OtherLists:
    """The last lists of every server."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._kept: dict[tuple[str, Kind], _Kept] = {}
        self._asking: dict[tuple[str, Kind], anyio.Lock] = {}

    def known_of(self, server: str) -> frozenset[str]:
        """Return the capabilities of which this server has listed anything."""
        return frozenset(
            kind.capability
            for (name, kind), kept in self._kept.items()
            if name == server and kept.items
        )

    def news_of(self, child: Child) -> frozenset[str]:
        """Return the capabilities of a child whose code has not been asked for its lists."""
        asked = frozenset(
            kind.capability
            for (name, kind), kept in self._kept.items()
            if name == child.spec.name and kept.digest == child.spec.digest
        )
        return (
            frozenset(kind.capability for kind in Kind)
            & child.handshake.capabilities.keys() - asked
        )

    def changed(self, server: str, capability: str) -> None:
        """Ask a server again when its list is wanted next."""
        for (name, kind), kept in self._kept.items():
            if name == server and kind.capability == capability:
                kept.generation = None

    def forget(self, names: frozenset[str]) -> None:
        """Drop what servers listed that are not among `names` any more."""
        for key in [key for key in self._kept if key[0] not in names]:
            del self._kept[key]
            self._asking.pop(key, None)

    async def of(self, slot: Slot, kind: Kind) -> tuple[Item, ...]:
        """Return what a server lists now, asking its child if there is news and one runs."""
        child, key = slot.current, (slot.spec.name, kind)
        if child is None:
            kept = self._kept.get(key)
            return kept.items if kept is not None and kept.digest == slot.spec.digest else ()
        if kind.capability not in child.handshake.capabilities:
            return ()
        if _is_news(self._kept.get(key), child):
            # Callers that come at once share one question.
            async with self._asking.setdefault(key, anyio.Lock()):
                if _is_news(self._kept.get(key), child):
                    await self._ask(child, kind)
        kept = self._kept.get(key)
        return () if kept is None else kept.items

    async def _ask(self, child: Child, kind: Kind) -> None:
        server, digest = child.spec.name, child.spec.digest
        before = self._kept.get((server, kind))
        # Noted first: a change that is told while the answer is under way is one.
        last = before.items if before is not None and before.digest == digest else ()
        kept = self._kept[server, kind] = _Kept(last, digest, child.generation)
        try:
            kept.items = await self._pages(server, kind)
        except RequestRefused:
            kept.items = ()
        except (SupervisorError, NotMcp) as error:
            kept.generation, kept.failed_at = None, time.monotonic()
            log.warning("The %s of server %s are not listed: %s", kind.member, server, error)

    async def _pages(self, server: str, kind: Kind) -> tuple[Item, ...]:
        items: list[Item] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            params = {} if cursor is None else {"cursor": cursor}
            page = await self._supervisor.request(
                server, kind.method, params, timeout_s=ASK_TIMEOUT_S
            )
            items.extend(_items(page, kind))
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str) or not cursor or len(items) > MAX_ITEMS:
                break
        return tuple(items[:MAX_ITEMS])


def _is_news(kept: _Kept | None, child: Child) -> bool:
    """Whether to ask a child; not at once where the last answer did not come."""
    if kept is None or kept.digest != child.spec.digest:
        return True
    if kept.failed_at is not None and time.monotonic() - kept.failed_at < ASK_AGAIN_S:
        return False
    return kept.generation != child.generation


def _items(page: Mapping[str, Any], kind: Kind) -> list[Item]:
    listed = page.get(kind.member)
    if not isinstance(listed, list):
        raise NotMcp(f"the answer to {kind.method} holds no list")
    items = (cast("Item", item) for item in cast("list[object]", listed) if isinstance(item, dict))
    return [item for item in items if isinstance(item.get(kind.key), str)]
