"""What `/mcp/all` answers itself: who it is, the combined lists, and its own tools.

Above: `endpoint`. Everything here is bytes in the form of the handshake era.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from gateway.auth.caller import Caller
from gateway.combined.catalogue import Catalogue
from gateway.combined.lists import Kind
from gateway.combined.paging import page_of
from gateway.combined.searching import (
    BESIDE_TOOLS,
    DESCRIBE_TOOL,
    INSTEAD_OF_TOOLS,
    SEARCH_TOOLS,
    Searching,
    instructions,
)
from gateway.combined.table import Table
from gateway.combined.tasks import EXTENSION
from gateway.domain.view import View
from gateway.relay.refusal import INVALID_PARAMS, Refusal
from gateway.relay.request import Posted
from gateway.tools.descriptions import object_of
from gateway.version import read_version
from supervisor.children.era import HANDSHAKE_VERSIONS, Handshake
from supervisor.children.wire import decode, encode, parse_object
from supervisor.spec import Era

MAX_TOLD = 20
"""Sentences about what had to be left out, in one list."""
LEFT_OUT = "claude-runner/left-out"
CAPABILITIES = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "logging": {},
    "completions": {},
}
_KINDS = {kind.method: kind for kind in Kind}


class Answers:
    """Answers from the catalogue, without any server's child being started."""

    def __init__(self, catalogue: Catalogue, *, search_first: int) -> None:
        """With more tools than `search_first` only the own ones are listed; 0: never."""
        self._catalogue = catalogue
        self._search_first = search_first
        self._searching = Searching(catalogue)

    def handshake(self, caller: Caller) -> Handshake:
        """Return what the endpoint says of itself."""
        tools = self._catalogue.tools(caller.view)
        text = instructions(
            len(tools.entries),
            len(self._catalogue.slots(caller.view)),
            search_only=self._searches_first(tools),
        )
        info = {"name": "claude-runner", "title": "All servers", "version": read_version()}
        return Handshake(Era.HANDSHAKE, HANDSHAKE_VERSIONS[-1], CAPABILITIES, info, text)

    def discovered(self, caller: Caller) -> bytes:
        """Return what the endpoint answers to `server/discover`."""
        said = self.handshake(caller)
        # Whether a call becomes a task is for its server to say, which may not even run now.
        return replace(
            said, capabilities={**CAPABILITIES, "extensions": {EXTENSION: {}}}
        ).discover_result()

    async def result(self, posted: Posted, view: View | None) -> bytes | None:
        """Return the result of what is asked of the endpoint itself; None: it is for a server.

        Raises:
            Refusal: a cursor or an argument cannot be meant so.
        """
        if posted.method == "tools/list":
            return self._tools(posted, view)
        if posted.method in _KINDS:
            kind = _KINDS[posted.method]
            table = await self._catalogue.other(kind, view)
            return _list(kind.member, table, posted)
        if posted.method == "tools/call" and posted.fields.name in (SEARCH_TOOLS, DESCRIBE_TOOL):
            return await self._searching.answer(posted.fields.name, _arguments(posted), view)
        return None

    def _tools(self, posted: Posted, view: View | None) -> bytes:
        table = self._catalogue.tools(view)
        if self._searches_first(table):
            named = (
                [table.entries[own] for _, own in view.names if own in table.entries]
                if view
                else []
            )
            listed = (*INSTEAD_OF_TOOLS, *(entry.definition for entry in named))
            return _page("tools", listed, None, table)
        return _list("tools", table, posted, before=BESIDE_TOOLS)

    def _searches_first(self, table: Table) -> bool:
        return 0 < self._search_first < len(table.entries)


def _list(member: str, table: Table, posted: Posted, before: Sequence[bytes] = ()) -> bytes:
    cursor = _cursor(posted)
    page = page_of(table, cursor)
    definitions = [entry.definition for entry in page.entries]
    if cursor is not None:
        return _page(member, definitions, page.next_cursor, None)
    return _page(member, [*before, *definitions], page.next_cursor, table)


def _page(
    member: str, definitions: Sequence[bytes], next_cursor: str | None, table: Table | None
) -> bytes:
    """Return one page; the first one also tells what had to be left out of the table."""
    result: dict[str, Any] = {member: [msgspec.Raw(each) for each in definitions]}
    if next_cursor is not None:
        result["nextCursor"] = next_cursor
    if table is not None and table.refused:
        result["_meta"] = {LEFT_OUT: list(table.refused.values())[:MAX_TOLD]}
    return encode(result)


def _cursor(posted: Posted) -> str | None:
    raw = parse_object(posted.envelope.params).get("cursor")
    cursor = None if raw is None else decode(raw)
    if cursor is not None and not isinstance(cursor, str):
        raise Refusal(INVALID_PARAMS, "A cursor is a text that an earlier page ended with.", 200)
    return cursor


def _arguments(posted: Posted) -> dict[str, Any]:
    raw = parse_object(posted.envelope.params).get("arguments")
    return object_of(None if raw is None else decode(raw))
