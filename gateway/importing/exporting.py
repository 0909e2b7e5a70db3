"""From the folder of an installed server back to an entry of `mcpServers`, without secrets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from gateway.importing.plans import CannotImport

START = "./start.mjs"


def entry_of(folder: Path) -> dict[str, Any]:
    """Return the entry by which another client starts the server in a folder.

    Raises:
        CannotImport: it is no server with a command that could be started elsewhere.
    """
    metadata = _object(folder / "metadata.json")
    command = metadata.get("command")
    if not isinstance(command, list) or not command:
        raise CannotImport(
            f"Server {folder.name!r} is Python that this gateway runs; `config` writes an entry "
            "that reaches it here."
        )
    words = [str(word) for word in cast("list[object]", command)]
    entry = {**_started(folder, words), "env": _env(metadata)}
    return {key: value for key, value in entry.items() if value}


def _started(folder: Path, words: list[str]) -> dict[str, Any]:
    if words[:2] == ["node", START]:
        needed = cast("dict[str, str]", _object(folder / "package.json").get("dependencies", {}))
        # A program of its owner's may have that name too, and needs no package.
        for package, version in list(needed.items())[:1]:
            named = package if version == "latest" else f"{package}@{version}"
            return {"command": "npx", "args": ["-y", named, *words[2:]]}
    requirements = folder / "requirements.txt"
    if requirements.is_file():
        lines = requirements.read_text("utf-8").splitlines()
        sources = [line.strip() for line in lines if line.strip() and line[0] != "#"]
        more = [word for source in sources[1:] for word in ("--with", source)]
        return {"command": "uvx", "args": ["--from", *sources[:1], *more, *words]}
    placed = [str(folder / word[2:]) if word.startswith("./") else word for word in words]
    return {"command": placed[0], "args": placed[1:]}


def _env(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return plain variables, and a reference for each secret."""
    plain = cast("dict[str, str]", metadata.get("environment", {}))
    declared = cast("list[str | dict[str, Any]]", metadata.get("credentials", []))
    keys = [each if isinstance(each, str) else str(each["key"]) for each in declared]
    return {**plain, **{key: f"${{{key}}}" for key in keys}}


def _object(path: Path) -> dict[str, Any]:
    try:
        said: object = json.loads(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise CannotImport(f"{path} cannot be read: {error}.") from error
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}
