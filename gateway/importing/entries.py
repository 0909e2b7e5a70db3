"""Reads the files of MCP clients: `mcpServers` and `servers`, and what their entries may say."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from gateway.importing.jsonc import read_jsonc
from gateway.importing.plans import CannotImport, Program
from gateway.importing.registry import is_registry_document, registry_program

MAX_FILE_BYTES = 10 * 1024 * 1024
REFERENCE = re.compile(r"\$\{([^}]*)\}")
"""`${input:key}`, `${env:KEY}`, `${KEY}` and `${KEY:-text}` of one client or another."""
SILENT = frozenset(
    {"command", "args", "env", "type", "name", "description", "disabled", "alwaysAllow"}
)

Document = Mapping[str, Any]
Found = tuple[list[Program], list[str]]
"""Programs, and one sentence for each entry that is none."""


def read_programs(path: Path) -> Found:
    """Return what a client's file, or a `server.json`, starts. Raises CannotImport."""
    document = _document(path)
    if is_registry_document(document):
        return [registry_program(document)], []
    programs: list[Program] = []
    refused: list[str] = []
    for name, entry in _entries(path, document, refused).items():
        try:
            programs.append(_program(name, entry))
        except CannotImport as error:
            refused.append(str(error))
    return programs, refused


def _document(path: Path) -> Document:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CannotImport(f"{path} is larger than {MAX_FILE_BYTES} bytes.")
        document = read_jsonc(path.read_bytes())
    except OSError as error:
        raise CannotImport(f"{path} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise CannotImport(f"{path} is no JSON ({error}).") from error
    if not isinstance(document, dict):
        raise CannotImport(f"{path} holds no JSON object.")
    return cast("Document", document)


def _entries(path: Path, document: Document, refused: list[str]) -> Document:
    """Return the entries by name; add a sentence for each other one of a name to `refused`."""
    found: dict[str, Any] = {}
    places = [document, document.get("mcp")]
    # Claude Code keeps the servers of each project in one file.
    projects = document.get("projects")
    if isinstance(projects, dict):
        places += cast("dict[str, object]", projects).values()
    for place in places:
        if not isinstance(place, dict):
            continue
        for member in ("mcpServers", "servers"):
            entries = cast("Document", place).get(member)
            if not isinstance(entries, dict):
                continue
            for name, entry in cast("Document", entries).items():
                if found.setdefault(name, entry) != entry:
                    refused.append(
                        f"Entry {name!r} is in {path} more than once, and not the same; the first "
                        "is taken: rename the other."
                    )
    if not found and not any(member in document for member in ("mcpServers", "servers")):
        raise CannotImport(
            f"{path} has neither mcpServers nor servers, and is no server.json of the registry."
        )
    return found


def _program(name: str, entry: object) -> Program:
    if not isinstance(entry, dict):
        raise CannotImport(f"Entry {name!r} is no JSON object.")
    form = cast("Document", entry)
    kind = form.get("type", "stdio")
    if "url" in form or "serverUrl" in form or kind not in ("stdio", None):
        raise CannotImport(
            f"Entry {name!r} is reached at an address; only servers that are started as a program "
            "can be imported."
        )
    command, arguments = form.get("command"), form.get("args", [])
    if not isinstance(command, str) or not command or not _is_texts(arguments):
        raise CannotImport(f"Entry {name!r} names no command, or its args are no list of texts.")
    words = (command, *cast("list[str]", arguments))
    if reference := next(filter(None, map(REFERENCE.search, words)), None):
        raise CannotImport(
            f"Entry {name!r} has {reference[0][:60]!r} in its command, which only its client fills "
            "in; write what it stands for there, or, for a secret, have the server read it from "
            "its environment."
        )
    variables, wanted, notes = _variables(name, form.get("env"))
    others = sorted(form.keys() - SILENT)
    return Program(
        name,
        command,
        words[1:],
        variables,
        wanted=wanted,
        description=str(form.get("description") or ""),
        notes=(*notes, *(f"its member {other!r} is not taken over" for other in others)),
    )


def _variables(name: str, env: object) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return the variables with a value, those without, and what is to be said of them."""
    if env is None:
        return {}, {}, []
    if not isinstance(env, dict):
        raise CannotImport(f"The env of entry {name!r} is no JSON object.")
    values: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for key, value in cast("dict[str, object]", env).items():
        text = value if isinstance(value, str) else json.dumps(value)
        # What stands for a value elsewhere is not the value.
        if not text or REFERENCE.search(text):
            wanted[key] = f"Was {text[:60]} in the client's file." if text else ""
        else:
            values[key] = text
    return values, wanted, []


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, str) for each in cast("list[object]", value)
    )
