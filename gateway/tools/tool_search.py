"""Finds tools of all enabled servers by words, for the tool that searches and for its page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.tool_names import ToolName
from gateway.tools.tool_index import Listed, ToolIndex, words_of
from supervisor.events import ServerState
from supervisor.snapshot import ServerSnapshot


class NoWords(Exception):
    """What was asked for holds no word."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is, and what of it has the words, best first."""

    names: tuple[ToolName, ...]
    definitions: Mapping[ToolName, Mapping[str, Any]]
    """Of every tool of an enabled server, found or not."""
    silent: tuple[str, ...]
    """Enabled servers that show no tools now."""


class ToolSearch:
    """Owner of the index."""

    def __init__(self, snapshots: Callable[[], tuple[ServerSnapshot, ...]]) -> None:
        self._snapshots = snapshots
        self._index = ToolIndex()

    async def find(self, query: str) -> Found:
        """Return the tools that have words of the query. Raises NoWords."""
        if not words_of(query):
            raise NoWords
        seen = self._seen()
        names = await self._index.find(query, [Listed(one.name, one.tools) for one in seen])
        return Found(tuple(names), _definitions(seen), _silent(seen))

    def all(self) -> Found:
        """Return every tool, by server and in its order."""
        seen = self._seen()
        definitions = _definitions(seen)
        return Found(tuple(definitions), definitions, _silent(seen))

    def _seen(self) -> list[ServerSnapshot]:
        return [each for each in self._snapshots() if each.state is not ServerState.DISABLED]


def _definitions(seen: list[ServerSnapshot]) -> dict[ToolName, Mapping[str, Any]]:
    return {ToolName(one.name, str(tool.get("name"))): tool for one in seen for tool in one.tools}


def _silent(seen: list[ServerSnapshot]) -> tuple[str, ...]:
    return tuple(one.name for one in seen if not one.tools)
