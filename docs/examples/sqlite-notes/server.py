"""Notes with full-text search, in an SQLite database in the server's data folder."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field

DATABASE = Path(os.environ["DATA_DIR"]) / "notes.db"
WAIT_S = 10
"""For another process of this server, which ends while the code of this one begins."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    changed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    title, text, content = 'notes', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON notes BEGIN
    INSERT INTO words (rowid, title, text) VALUES (new.id, new.title, new.text);
END;
CREATE TRIGGER IF NOT EXISTS removed AFTER DELETE ON notes BEGIN
    INSERT INTO words (words, rowid, title, text) VALUES ('delete', old.id, old.title, old.text);
END;
CREATE TRIGGER IF NOT EXISTS changed AFTER UPDATE ON notes BEGIN
    INSERT INTO words (words, rowid, title, text) VALUES ('delete', old.id, old.title, old.text);
    INSERT INTO words (rowid, title, text) VALUES (new.id, new.title, new.text);
END;
"""

mcp = FastMCP("sqlite-notes")

Title = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=100_000)]
Number = Annotated[int, Field(ge=1, description="As the other tools show it")]


@mcp.tool
def add_note(title: Title, text: Text) -> int:
    """Keep a note; return its number."""
    with _notes() as notes:
        return notes.execute(
            "INSERT INTO notes (title, text) VALUES (?, ?) RETURNING id", (title, text)
        ).fetchone()["id"]


@mcp.tool(annotations={"readOnlyHint": True})
def search_notes(
    words: Annotated[str, Field(min_length=1, max_length=200, description="All must be there")],
    limit: Annotated[int, Field(ge=1, le=100)] = 10,
) -> list[dict[str, Any]]:
    """Find notes by words in title and text, best first, each with the place where they stand.

    A word also finds what begins with it, and accents do not matter.
    """
    query = _query(words)
    with _notes() as notes:
        found = notes.execute(
            "SELECT rowid AS id, title, snippet(words, 1, '', '', '...', 16) AS excerpt "
            "FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?",
            (query, limit),
        )
        return [dict(each) for each in found]


@mcp.tool(annotations={"readOnlyHint": True})
def list_notes(limit: Annotated[int, Field(ge=1, le=100)] = 20) -> list[dict[str, Any]]:
    """List notes without their texts, the last changed first."""
    with _notes() as notes:
        found = notes.execute(
            "SELECT id, title, changed_at FROM notes ORDER BY changed_at DESC, id DESC LIMIT ?",
            (limit,),
        )
        return [dict(each) for each in found]


@mcp.tool(annotations={"readOnlyHint": True})
def read_note(number: Number) -> dict[str, Any]:
    """Return one note in full."""
    with _notes() as notes:
        found = notes.execute("SELECT * FROM notes WHERE id = ?", (number,)).fetchone()
    if found is None:
        raise _no_note(number)
    return dict(found)


@mcp.tool
def change_note(number: Number, title: Title | None = None, text: Text | None = None) -> str:
    """Change title or text of a note, or both; what is not given stays."""
    with _notes() as notes:
        changed = notes.execute(
            "UPDATE notes SET title = coalesce(?, title), text = coalesce(?, text), "
            "changed_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = ?",
            (title, text, number),
        )
        if not changed.rowcount:
            raise _no_note(number)
    return f"Note {number} is changed."


@mcp.tool(annotations={"destructiveHint": True})
def delete_note(number: Number) -> str:
    """Delete a note for good."""
    with _notes() as notes:
        if not notes.execute("DELETE FROM notes WHERE id = ?", (number,)).rowcount:
            raise _no_note(number)
    return f"Note {number} is deleted."


def _query(words: str) -> str:
    """Return words as FTS5 asks for them, quoted, so that none is an operator."""
    # Whatever is not printable ends words, as a blank does: in a query SQLite stops at a NUL.
    apart = "".join(each if each.isprintable() else " " for each in words).split()
    if not any(each.isalnum() for word in apart for each in word):
        raise ToolError(f"{words!r} holds no word; give one or more that the note has.")
    return " ".join('"{}"*'.format(word.replace('"', '""')) for word in apart)


@contextmanager
def _notes() -> Iterator[sqlite3.Connection]:
    """Give a connection; what the body does is kept as a whole, or not at all if it fails."""
    with closing(sqlite3.connect(DATABASE, timeout=WAIT_S)) as connection:
        connection.row_factory = sqlite3.Row
        with connection:
            yield connection


def _no_note(number: int) -> ToolError:
    return ToolError(
        f"There is no note {number}; list_notes and search_notes show which there are."
    )


with closing(sqlite3.connect(DATABASE, timeout=WAIT_S)) as made:
    made.executescript(SCHEMA)

if __name__ == "__main__":
    mcp.run()
