"""The configuration files of MCP clients: the form of an entry in each, and merging into a file.

A file that is not understood, or that has somebody else's entry of the same name, stays as it is.
"""

import json
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

MAX_FILE_BYTES = 10 * 1024 * 1024

Entries = Mapping[str, Mapping[str, Any]]
Document = dict[str, Any]


class ClientKind(StrEnum):
    """A client whose file is known."""

    CLAUDE_CODE = "claude-code"
    """`.mcp.json` of a project."""
    CLAUDE_DESKTOP = "claude-desktop"
    """`claude_desktop_config.json`, which takes programs and no addresses."""
    VSCODE = "vscode"
    """`.vscode/mcp.json`, or `mcp.json` of a profile."""
    CURSOR = "cursor"
    """`.cursor/mcp.json` of a project or of the user."""

    @property
    def member(self) -> str:
        """The member of the file that holds the entries."""
        return "servers" if self is ClientKind.VSCODE else "mcpServers"

    @property
    def takes_addresses(self) -> bool:
        """False for a client whose file only names programs to start."""
        return self is not ClientKind.CLAUDE_DESKTOP


class FileRefused(Exception):
    """A file cannot be merged into; the message is one sentence, and nothing was changed."""


def http_form(client: ClientKind, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry for an address as this client writes it."""
    if client is ClientKind.CURSOR:
        return {"url": entry["url"], "headers": entry["headers"]}
    return dict(entry)


def stdio_form(
    client: ClientKind, command: str, arguments: list[str], env: Mapping[str, str]
) -> dict[str, Any]:
    """Return an entry for a program as this client writes it."""
    typed = {} if client is ClientKind.CLAUDE_DESKTOP else {"type": "stdio"}
    form = {**typed, "command": command, "args": arguments}
    return {**form, "env": dict(env)} if env else form


def read_file(path: Path, member: str, names: frozenset[str]) -> Document:
    """Return what a client's file holds now; an empty document when there is no file yet.

    Raises:
        FileRefused: entries of these names cannot be put into it.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise FileRefused(f"There is no folder {path.parent}; make it first.") from None
        return {}
    except OSError as error:
        raise FileRefused(f"{path} cannot be read ({error.strerror}).") from error
    if len(text) > MAX_FILE_BYTES:
        raise FileRefused(f"{path} is larger than {MAX_FILE_BYTES} bytes.")
    document = _parsed(path, text)
    entries = document.setdefault(member, {})
    if not isinstance(entries, dict):
        raise FileRefused(f"{member!r} in {path} is no JSON object; nothing was written.")
    taken = cast("dict[str, object]", entries)
    foreign = sorted(name for name in names & taken.keys() if not _is_ours(taken[name]))
    if foreign:
        raise FileRefused(
            f"{path} has an entry {foreign[0]!r} of something else already; rename or remove it."
        )
    return document


def write_file(path: Path, document: Document, member: str, entries: Entries) -> None:
    """Write a file that `read_file` gave with these entries in it, for its owner's eyes only.

    Raises:
        FileRefused: it cannot be written; the file is as it was.
    """
    merged = {**document, member: {**document.get(member, {}), **entries}}
    # The file itself, where the path is a link to it.
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(as_text(merged))
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise FileRefused(f"{path} cannot be written ({error.strerror}).") from error


def as_text(document: Mapping[str, Any]) -> str:
    """Return a document as these clients write theirs."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _parsed(path: Path, text: bytes) -> Document:
    try:
        document: object = json.loads(text or b"{}", object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise FileRefused(f"{path} is no plain JSON ({error}); nothing was written.") from error
    if not isinstance(document, dict):
        raise FileRefused(f"{path} holds no JSON object; nothing was written.")
    return cast("Document", document)


def _without_repetition(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Only the last one would be kept.
        raise ValueError("a name stands in it twice")
    return found


def _is_ours(entry: object) -> bool:
    """True for an entry that an earlier `config` may have written."""
    if not isinstance(entry, dict):
        return False
    form = cast("dict[str, Any]", entry)
    url = form.get("url")
    if isinstance(url, str):
        path = urlsplit(url).path
        return path == "/mcp/all" or (path.startswith("/servers/") and path.endswith("/mcp"))
    command, arguments = form.get("command"), form.get("args")
    return (
        isinstance(command, str)
        and Path(command).name == "claude-runner"
        and isinstance(arguments, list)
        and "stdio" in arguments
    )
