"""One combined list: what is shown under which key, whose it is, and what had to be left out.

A key that two sources claim belongs to neither, so that nothing is ever answered by another server
than the one that was meant. Pure.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_NAME_CHARACTERS = 128
"""Of a tool or a prompt (MCP 2025-11-25, server/tools, tool names)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tool, prompt, resource or template of one server."""

    key: str
    """The name or the URI under which callers know it."""
    server: str
    original: str
    """What its own server calls it."""
    definition: bytes
    """Its JSON in the combined list."""


@dataclass(frozen=True, slots=True)
class Table:
    """A combined list in its order: servers by name, in each the server's own order."""

    entries: Mapping[str, Entry]
    refused: Mapping[str, str]
    """Keys that are shown for nobody, and one sentence why."""
    stamp: str
    """Another one for every other content."""


def build(entries: Iterable[Entry], *, max_key: int | None = None) -> Table:
    """Return the table of these entries; those with a longer key than `max_key` are left out."""
    claims: dict[str, list[Entry]] = {}
    for entry in entries:
        claims.setdefault(entry.key, []).append(entry)
    kept: dict[str, Entry] = {}
    refused: dict[str, str] = {}
    for key, claimed in claims.items():
        if max_key is not None and len(key) > max_key:
            refused[key] = (
                f"{key[:60] + '...'!r} has {len(key)} characters; at most {max_key} are shown, but"
                f" /servers/{claimed[0].server}/mcp has it under its own name."
            )
        elif len(claimed) > 1:
            refused[key] = _clash(key, claimed)
        else:
            kept[key] = claimed[0]
    return Table(kept, refused, _stamp(kept))


def _clash(key: str, claimed: list[Entry]) -> str:
    servers = sorted({entry.server for entry in claimed})
    if len(servers) == 1:
        return f"Server {servers[0]!r} lists {key[:200]!r} {len(claimed)} times."
    names = " and ".join(map(repr, servers))
    return f"{key[:200]!r} is listed by {names}; ask at /servers/<name>/mcp of the one you mean."


def _stamp(entries: Mapping[str, Entry]) -> str:
    digest = hashlib.blake2b(digest_size=9)
    for entry in entries.values():
        digest.update(b"%d %d " % (len(entry.server), len(entry.definition)))
        digest.update(entry.server.encode() + entry.definition)
    return digest.hexdigest()
