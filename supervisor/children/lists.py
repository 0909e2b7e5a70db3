"""A child's lists: fetched once when it becomes ready, and again when it says they changed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from supervisor.children.wire import decode, encode
from supervisor.errors import NotMcp

MAX_PAGES = 100
"""A server that never ends its list would hold up its own start for ever."""

Tool = Mapping[str, Any]
Ask = Callable[[str, bytes], Awaitable[msgspec.Raw | None]]
"""Sends one list request; None when the child refused it."""


@dataclass(frozen=True, slots=True)
class ToolChanges:
    """Names of tools by what happened to them."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def any(self) -> bool:
        """False when both lists say the same."""
        return bool(self.added or self.removed or self.changed)


async def fetch_tools(ask: Ask) -> tuple[Tool, ...]:
    """Return all tools, page by page; none when the child has no tools capability.

    Raises:
        NotMcp: the child answered something that is not a list of tools.
    """
    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        raw = await ask("tools/list", encode({"cursor": cursor} if cursor else {}))
        if raw is None:
            return ()
        page, cursor = _read_page(raw)
        tools.extend(page)
        if cursor is None:
            return tuple(tools)
    raise NotMcp(f"tools/list did not end after {MAX_PAGES} pages")


def compare(before: tuple[Tool, ...], after: tuple[Tool, ...]) -> ToolChanges:
    """Return which tools came, went, or have another definition."""
    old = {tool["name"]: tool for tool in before}
    new = {tool["name"]: tool for tool in after}
    return ToolChanges(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(n for n in new.keys() & old.keys() if new[n] != old[n])),
    )


def _read_page(raw: msgspec.Raw) -> tuple[list[Tool], str | None]:
    page = cast(object, decode(raw))
    if not isinstance(page, dict):
        raise NotMcp("the answer to tools/list is not an object")
    body = cast(dict[str, Any], page)
    tools = body.get("tools")
    if not isinstance(tools, list) or not all(_is_tool(t) for t in cast(list[object], tools)):
        raise NotMcp("the answer to tools/list holds no list of named tools")
    cursor = body.get("nextCursor")
    return cast(list[Tool], tools), cursor if isinstance(cursor, str) and cursor else None


def _is_tool(value: object) -> bool:
    return isinstance(value, dict) and isinstance(cast(dict[str, Any], value).get("name"), str)
