"""Full-text search over the tools of servers, held in memory and changed only when a list is.

SQLite's FTS5 does stemming and BM25; this decides which fields count how much, and puts the tools
that have more of the words first. Above: `discovery`.
"""

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import anyio
import anyio.to_thread

from gateway.tool_names import ToolName

MAX_WORDS = 16
MAX_RANKED = 500
"""Best by BM25; the order by words is made among these."""
PREFIX_LENGTH = 3
"""Shorter words must stand there whole: too much begins with them."""
ARGUMENT_DEPTH = 3

_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IDLE = frozenset(
    {
        *(
            "a",
            "an",
            "and",
            "any",
            "are",
            "as",
            "at",
            "by",
            "can",
            "do",
            "for",
            "from",
            "get",
            "how",
        ),
        *("i", "in", "into", "is", "it", "me", "my", "of", "on", "or", "that", "the", "this", "to"),
        *("tool", "use", "want", "what", "with", "you"),
    }
)
_COLUMNS = ("tool", "server", "title", "description", "arguments")
_WEIGHTS = (10.0, 4.0, 6.0, 3.0, 1.5)


@dataclass(frozen=True, slots=True)
class Listed:
    """A server with its tools, as it is searched."""

    server: str
    tools: tuple[Mapping[str, Any], ...]


class ToolIndex:
    """Finds tools by words; one search at a time, each in a worker thread."""

    def __init__(self) -> None:
        self._tables = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        columns = ", ".join(_COLUMNS)
        self._tables.execute(
            f"CREATE VIRTUAL TABLE tools USING fts5({columns}, name UNINDEXED,"
            " tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        self._known: dict[str, tuple[Listed, range]] = {}
        self._next_row = 1
        self._one_at_a_time = anyio.Lock()

    async def find(
        self, query: str, listed: Iterable[Listed], *, within: Collection[str] | None = None
    ) -> list[ToolName]:
        """Return the tools of these servers that have words of the query, best first.

        `listed` is always all servers; `within` says of which to return tools, None: of all.
        """
        async with self._one_at_a_time:
            return await anyio.to_thread.run_sync(self._find, query, tuple(listed), within)

    def _find(
        self, query: str, listed: tuple[Listed, ...], within: Collection[str] | None
    ) -> list[ToolName]:
        self._refresh({one.server: one for one in listed})
        words = words_of(query)
        if not words:
            return []
        ranked = self._ranked(words, within)
        tools = [self._rows(word, "") for word in words]
        named = [self._rows(word, "tool : ") for word in words]

        def order(row: int) -> tuple[float, float, int]:
            # The words it has, one in its name half as much again; then BM25, short names first.
            count = sum(row in rows for rows in tools) + sum(row in rows for rows in named) / 2
            rank, name = ranked[row]
            return -count, round(rank, 6), len(name.tool)

        return [ranked[row][1] for row in sorted(ranked, key=order)]

    def _ranked(
        self, words: list[str], within: Collection[str] | None
    ) -> dict[int, tuple[float, ToolName]]:
        weights = ", ".join(map(str, _WEIGHTS))
        rows = self._tables.execute(
            f"SELECT rowid, bm25(tools, {weights}) AS rank, server, name FROM tools"  # noqa: S608 - numbers of our own
            " WHERE tools MATCH ?1 AND (?2 IS NULL OR server IN (SELECT value FROM json_each(?2)))"
            " ORDER BY rank LIMIT ?3",
            (
                " OR ".join(_term(word) for word in words),
                None if within is None else json.dumps(sorted(within)),
                MAX_RANKED,
            ),
        )
        return {row: (rank, ToolName(server, name)) for row, rank, server, name in rows}

    def _rows(self, word: str, column: str) -> set[int]:
        found = self._tables.execute(
            "SELECT rowid FROM tools WHERE tools MATCH ?", (column + _term(word),)
        )
        return {row for (row,) in found}

    def _refresh(self, listed: dict[str, Listed]) -> None:
        """Rewrite the rows of the servers whose lists are others than last time."""
        # One transaction: FTS5 writes each of its own to its tables.
        self._tables.execute("BEGIN")
        for server, (before, rows) in tuple(self._known.items()):
            # A list that did not change is the same object.
            if server not in listed or listed[server].tools is not before.tools:
                self._tables.executemany("DELETE FROM tools WHERE rowid = ?", ((r,) for r in rows))
                del self._known[server]
        for server in listed.keys() - self._known.keys():
            self._add(listed[server])
        self._tables.execute("COMMIT")

    def _add(self, listed: Listed) -> None:
        rows = range(self._next_row, self._next_row + len(listed.tools))
        self._next_row = rows.stop
        self._tables.executemany(
            "INSERT INTO tools (rowid, tool, server, title, description, arguments, name)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (row, *_row(listed.server, tool))
                for row, tool in zip(rows, listed.tools, strict=True)
            ],
        )
        self._known[listed.server] = listed, rows


def words_of(query: str) -> list[str]:
    """Return the words to search for; those that every sentence has only if there are no others."""
    words = [word.lower() for word in _WORD.findall(_HUMP.sub(" ", query))]
    telling = [word for word in words if word not in _IDLE]
    return list(dict.fromkeys(telling or words))[:MAX_WORDS]


def _term(word: str) -> str:
    return f'"{word}"*' if len(word) >= PREFIX_LENGTH else f'"{word}"'


def _row(server: str, tool: Mapping[str, Any]) -> tuple[str, ...]:
    name = str(tool.get("name"))
    annotations = cast("Mapping[str, Any]", tool.get("annotations") or {})
    title = tool.get("title") or annotations.get("title") or ""
    arguments = " ".join(_argument_words(tool.get("inputSchema"), 0))
    description = str(tool.get("description") or "")
    return _split(name), server, _split(str(title)), description, _split(arguments), name


def _split(text: str) -> str:
    """Return text with the parts of camelCase words beside the words themselves."""
    apart = _HUMP.sub(" ", text)
    return text if apart == text else f"{text} {apart}"


def _argument_words(schema: object, depth: int) -> Iterable[str]:
    if not isinstance(schema, dict) or depth == ARGUMENT_DEPTH:
        return
    properties = cast("dict[str, Any]", schema).get("properties")
    if not isinstance(properties, dict):
        return
    for name, part in cast("dict[str, Any]", properties).items():
        yield name
        if isinstance(part, dict):
            inner = cast("dict[str, Any]", part)
            yield str(inner.get("description") or "")
            yield from _argument_words(inner, depth + 1)
