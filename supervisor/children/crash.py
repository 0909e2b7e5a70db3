"""Why a child died or did not become ready: everything that is known of it, and no value of a call.

Above: `child`, which fills a report in at its end. Below: nothing.
"""

import signal
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import msgspec

from supervisor.children.wire import decode

MAX_CALLS = 20
"""Calls in flight that a report names; the others are counted."""
MAX_LOOKED_AT = 256 * 1024
"""Params that are larger are not taken apart."""
MAX_NAME = 60
RECENT_S = 3600.0
"""Code that changed longer ago is no suspect."""
SANDBOX_SIGNALS = frozenset({signal.SIGSYS, signal.SIGXFSZ})


@dataclass(frozen=True, slots=True)
class CallShape:
    """A call in flight: its tool and what kind of arguments it had, never their values."""

    tool: str
    """Or the method, where it is no tool call."""
    arguments: str
    running_s: float


@dataclass(frozen=True, slots=True)
class CrashReport:
    """One death, or one start that failed."""

    server: str
    generation: int
    digest: str
    at: float
    """Seconds since the epoch."""
    cause: str
    """Exit code or signal in words, the limit that was exceeded, or what it did instead of MCP."""
    sandbox_breach: bool
    """It was ended because it went over what its sandbox allows."""
    was_ready: bool
    """False: it never answered its handshake and its lists."""
    uptime_s: float
    """Since it was ready."""
    calls: tuple[CallShape, ...]
    """In flight when it died, oldest first, and failed by it."""
    calls_failed: int
    stderr_tail: tuple[str, ...]
    code_changed_s: float | None
    """Seconds between the last change of its code and its death."""

    def circumstances(self) -> str:
        """Return such as 'after 12 s as generation 3, 4 s after its code changed'."""
        age = f"after {self.uptime_s:.0f} s" if self.was_ready else "before it was ready"
        changed = self.code_changed_s
        recent = changed is not None and changed < RECENT_S
        suspect = f", {changed:.0f} s after its code changed" if recent else ""
        return f"{age} as generation {self.generation}{suspect}"


def is_breach(returncode: int) -> bool:
    """Return whether a process ended by a signal that only the sandbox's rules send."""
    number = -returncode if returncode < 0 else returncode - 128
    return number in SANDBOX_SIGNALS


def call_shape(
    method: str,
    params: bytes | msgspec.Raw | None,
    schemas: Mapping[str, Mapping[str, Any]],
    running_s: float,
) -> CallShape:
    """Return what may be kept of a call; `schemas` are the input schemas of the server's tools."""
    if method != "tools/call":
        return CallShape(method, "", running_s)
    body = _object(params)
    name, arguments = body.get("name"), body.get("arguments")
    tool = name[:MAX_NAME] if isinstance(name, str) and name in schemas else "an unknown tool"
    known = schemas.get(tool, {}).get("properties")
    names = (
        frozenset(cast("dict[str, Any]", known)) if isinstance(known, dict) else frozenset[str]()
    )
    shown = arguments_shape(cast("dict[str, Any]", arguments), names) if arguments else "{}"
    return CallShape(tool, shown, running_s)


def input_schemas(tools: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the input schema of each tool by name."""
    found: dict[str, Mapping[str, Any]] = {}
    for tool in tools:
        schema = tool.get("inputSchema")
        found[tool["name"]] = cast("dict[str, Any]", schema) if isinstance(schema, dict) else {}
    return found


def changed_at(folder: Path) -> float | None:
    """Return when a file directly in a folder was last written, in seconds since the epoch."""
    try:
        written = [path.stat().st_mtime for path in folder.iterdir() if path.is_file()]
    except OSError:
        return None
    return max(written, default=None)


def _object(params: bytes | msgspec.Raw | None) -> dict[str, Any]:
    text = b"" if params is None else bytes(params)
    if not text or len(text) > MAX_LOOKED_AT:
        return {}
    try:
        body = decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def arguments_shape(arguments: object, known: Container[str]) -> str:
    """Return names and kinds, such as `{to: string of 8}`; `known` are the names a schema has."""
    if not isinstance(arguments, dict):
        return _kind(arguments)
    # A name that the schema does not give may be a value in the wrong place.
    given = cast("dict[str, Any]", arguments).items()
    shown = [
        f"{name[:MAX_NAME] if name in known else '?'}: {_kind(value)}"
        for name, value in (given if len(given) <= MAX_CALLS else islice(given, MAX_CALLS))
    ]
    return "{" + ", ".join(shown) + "}"


def _kind(value: object) -> str:
    if type(value) is str:
        return f"string of {len(value)}"
    match value:
        case str():
            return f"string of {len(value)}"
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case list():
            return f"array of {len(cast('list[Any]', value))}"
        case _:
            return f"object of {len(cast('dict[str, Any]', value))}"
