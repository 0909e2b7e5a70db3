"""``servers create FOLDER``: a dynamic server from files, checked and kept as a version."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any, cast

from gateway.cli.answers import ask, show_change
from gateway.cli.exits import Exit, Failure

TAKEN = frozenset({"server.py", "metadata.json", "requirements.txt"})
DERIVED = frozenset({"__pycache__", ".git", ".venv"})
DECLARED = frozenset({"description", "credentials", "network"})
MAX_BYTES = 1_000_000


def run(args: Namespace) -> int:
    """Read the folder, hand it to the gateway and say what became of it."""
    folder = args.folder.resolve()
    _check(folder)
    declared = _metadata(folder)
    requirements = _read(folder / "requirements.txt") or ""
    packages = [line.strip() for line in requirements.splitlines()]
    named = [line for line in packages if line and not line.startswith("#")]
    made = ask(
        args,
        "create_mcp_server",
        name=args.name or folder.name,
        code=_read(folder / "server.py"),
        dependencies=named or None,
        enable=not args.disabled,
        **declared,
    )
    return show_change(args, made)


def _check(folder: Path) -> None:
    if not (folder / "server.py").is_file():
        raise Failure(Exit.WRONG_USE, f"{folder} has no server.py to make a server of.")
    others = sorted(path.name for path in folder.iterdir() if path.name not in TAKEN | DERIVED)
    if others:
        raise Failure(
            Exit.WRONG_USE,
            f"{folder} also holds {others[0]!r}, and a server is created of server.py, "
            "metadata.json and requirements.txt alone; copy the folder into FIXED_SERVERS_DIR.",
        )


def _metadata(folder: Path) -> dict[str, Any]:
    text = _read(folder / "metadata.json")
    try:
        said: object = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise Failure(Exit.WRONG_USE, f"{folder}/metadata.json is no JSON: {error}.") from error
    if not isinstance(said, dict):
        raise Failure(Exit.WRONG_USE, f"{folder}/metadata.json is no JSON object.")
    members = cast("dict[str, Any]", said)
    if others := sorted(members.keys() - DECLARED):
        raise Failure(
            Exit.WRONG_USE,
            f"metadata.json says {others[0]!r}, which a created server cannot have; copy the "
            "folder into FIXED_SERVERS_DIR instead.",
        )
    return members


def _read(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise Failure(Exit.WRONG_USE, f"{path} is larger than {MAX_BYTES} bytes.")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Exit.WRONG_USE, f"{path} cannot be read: {error}.") from error
