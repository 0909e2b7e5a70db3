"""How tools are named: one canonical form, the spellings that are read as it, and the short form.

Canonical is ``mcp__<server>__<tool>``. A server's name holds no underscore, so the form splits in
one way only. Pure functions over ``live``: every known server with the tools it shows now.
"""

import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.view import InvalidView, check_own_name
from supervisor.folders.catalog import check_name
from supervisor.snapshot import ServerSnapshot

EXPOSED_LENGTH = 64
MAX_LENGTH = 200
"""A server name takes 40, a tool name 128 (SEP-986), the prefix 7."""

BUILT_IN = frozenset({
    "Agent", "AskUserQuestion", "Bash", "BashOutput", "Edit", "EnterPlanMode", "ExitPlanMode",
    "Glob", "Grep", "KillShell", "ListMcpResources", "LS", "LSP", "MultiEdit", "NotebookEdit",
    "NotebookRead", "Read", "ReadMcpResource", "Skill", "SlashCommand", "Task", "TaskCreate",
    "TaskGet", "TaskList", "TaskOutput", "TaskStop", "TaskUpdate", "TodoRead", "TodoWrite",
    "ToolSearch", "WebFetch", "WebSearch", "Write",
})  # fmt: skip
"""Tools of the Claude CLI itself."""

Live = Mapping[str, Sequence[str]]

_TOOL = r"(?P<tool>[A-Za-z0-9_*][A-Za-z0-9_./:*-]*)"
_SERVER = r"(?P<server>[A-Za-z0-9][A-Za-z0-9_-]*?)"
_CANONICAL = re.compile(rf"mcp__{_SERVER}__{_TOOL}")
_WHOLE_SERVER = re.compile(r"mcp__(?P<server>[A-Za-z0-9][A-Za-z0-9-]*)")
_LOOSE = re.compile(rf"{_SERVER}(?:__|[:./]){_TOOL}")
_BARE = re.compile(r"(?!mcp__)[A-Za-z][A-Za-z0-9_-]*")
_RULE = re.compile(r"(?P<tool>[A-Za-z]+)(?:\([^()\x00-\x1f]*\))?")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class InvalidToolName(Exception):
    """A text that cannot name a tool; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class ToolName:
    """A tool of a server; `tool` is ``*`` for all of them."""

    server: str
    tool: str

    @property
    def canonical(self) -> str:
        """``mcp__<server>__<tool>``."""
        return f"mcp__{self.server}__{self.tool}"


@dataclass(frozen=True, slots=True)
class Normalised:
    """Tool names in canonical form, and what a person should know about them."""

    names: tuple[str, ...]
    warnings: tuple[str, ...]


def live_tools(snapshots: tuple[ServerSnapshot, ...]) -> Live:
    """Return every server with the names of the tools it shows."""
    return {
        seen.name: [str(tool["name"]) for tool in seen.tools if "name" in tool]
        for seen in snapshots
    }


def parse(text: str) -> ToolName | None:
    """Return the server and tool that `text` names, or None when it names no server."""
    if match := _WHOLE_SERVER.fullmatch(text):
        return ToolName(match["server"], "*")
    match = _CANONICAL.fullmatch(text) or _LOOSE.fullmatch(text)
    return ToolName(match["server"], match["tool"]) if match else None


def resolve(text: str, live: Live) -> ToolName | None:
    """Return the tool that `text` names in any spelling, or None if it names no server.

    The answer's server and tool need not exist. A server that is unknown as written is also tried
    in lower case with ``-`` for ``_``.
    """
    if short := exposed_names(live).get(text):
        return short
    name = parse(text)
    if name is None or name.server in live:
        return name
    respelled = name.server.lower().replace("_", "-")
    return ToolName(respelled, name.tool) if respelled in live else name


def exposed_names(live: Live) -> dict[str, ToolName]:
    """Return the tools of `live` by the name under which they are shown to clients.

    The rule: the canonical name with ``_`` for every character other than letters, digits, ``_``
    and ``-``. A name that this changes, or that is longer than 64 characters, is cut to 55 and
    ends in ``_`` and the first 8 hexadecimal digits of the SHA-256 of the canonical name (more
    digits, should two names still be equal).
    """
    table: dict[str, ToolName] = {}
    tools = sorted({(server, tool) for server, tools in live.items() for tool in tools})
    names = [ToolName(server, tool) for server, tool in tools]
    for name in sorted(names, key=_is_shortened):
        table[_free_name(name, table)] = name
    return table


def normalise(names: Iterable[str], live: Live) -> Normalised:
    """Return `names` in canonical form without repetition, with a warning for each doubtful one.

    Raises:
        InvalidToolName: a text is empty, too long or cannot name a tool.
    """
    kept: dict[str, None] = {}
    warnings: list[str] = []
    taken: set[str] = set()
    for text in names:
        name, own = _split(text)
        canonical, doubts = _normalise_one(name, live)
        if own is not None:
            _check_own_name(canonical, own, taken)
        kept[canonical if own is None else f"{canonical}={own}"] = None
        warnings.extend(doubts)
    return Normalised(tuple(kept), tuple(dict.fromkeys(warnings)))


def check_tools(tools: Sequence[str], servers: Sequence[str], live: Live) -> Normalised:
    """Return `tools` in canonical form, with warnings about them and about `servers`.

    Raises:
        InvalidToolName, InvalidServer: a text cannot name a tool or a server.
    """
    checked = normalise(tools, live)
    doubts: list[str] = []
    for server in servers:
        check_name(server)
        if server not in live:
            doubts.append(f"There is no server named {server!r}.{did_you_mean(server, live)}")
    return Normalised(checked.names, tuple(dict.fromkeys([*checked.warnings, *doubts])))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x' or 'y'?`` for the nearest of `known`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def _split(text: str) -> tuple[str, str | None]:
    """Return the tool and the name of the run's own that it is given, if any."""
    name, mark, own = text.strip().partition("=")
    return (name, own) if mark and not _RULE.fullmatch(text.strip()) else (text, None)


def _check_own_name(canonical: str, own: str, taken: set[str]) -> None:
    if not canonical.startswith("mcp__") or canonical.endswith("*") or canonical in taken:
        raise InvalidToolName(
            f"{canonical!r} cannot be named {own[:80]!r}: one tool of a server can be given one"
            " name."
        )
    try:
        check_own_name(own, taken)
    except InvalidView as error:
        raise InvalidToolName(str(error)) from error
    taken |= {canonical, own}


def _normalise_one(text: str, live: Live) -> tuple[str, list[str]]:
    written = check_text(text)
    rule = _RULE.fullmatch(written)
    if rule and rule["tool"] in BUILT_IN:
        return written, []
    name = resolve(written, live)
    if name is None:
        return _normalise_bare(written, live)
    doubts = [] if name.canonical == written else [f"{written!r} is read as {name.canonical!r}."]
    if doubt := doubt_about(name, live):
        doubts.append(doubt)
    return name.canonical, doubts


def check_text(text: str) -> str:
    """Return `text` without surrounding blanks.

    Raises:
        InvalidToolName: it is empty or too long.
    """
    written = text.strip()
    if not written:
        raise InvalidToolName("A tool name is empty; write one like 'mcp__server__tool' or 'Read'.")
    if len(written) > MAX_LENGTH:
        raise InvalidToolName(
            f"The tool name {written[:40] + '...'!r} has {len(written)} characters;"
            f" at most {MAX_LENGTH} are allowed."
        )
    return written


def doubt_about(name: ToolName, live: Live) -> str | None:
    """Return why `name` cannot be called now, as one sentence, or None when it is live."""
    if name.server not in live:
        hint = did_you_mean(name.server, live)
        return f"There is no server named {name.server!r}.{hint}"
    tools = live[name.server]
    if name.tool == "*" or name.tool in tools:
        return None
    if not tools:
        return f"Server {name.server!r} shows no tools now, so {name.tool!r} could not be checked."
    return f"Server {name.server!r} has no tool {name.tool!r}.{_nearest_tools(name.tool, tools)}"


def _nearest_tools(word: str, tools: Sequence[str]) -> str:
    return did_you_mean(word, tools) or f" It has: {', '.join(sorted(tools)[:20])}."


def _normalise_bare(written: str, live: Live) -> tuple[str, list[str]]:
    if not _BARE.fullmatch(written):
        raise InvalidToolName(
            f"{written!r} is not a tool name; write one like 'mcp__server__tool', 'server:tool'"
            " or 'Read'."
        )
    proper = {name.lower(): name for name in BUILT_IN}.get(written.lower())
    if proper:
        return proper, [f"{written!r} is read as {proper!r}."]
    owners = [ToolName(server, written).canonical for server in live if written in live[server]]
    hint = f" Did you mean {' or '.join(map(repr, owners))}?" if owners else ""
    hint = hint or did_you_mean(written, BUILT_IN)
    return written, [f"{written!r} is neither a built-in tool nor the tool of a server.{hint}"]


def _is_shortened(name: ToolName) -> bool:
    safe = _UNSAFE.sub("_", name.canonical)
    return safe != name.canonical or len(safe) > EXPOSED_LENGTH


def _free_name(name: ToolName, taken: Mapping[str, ToolName]) -> str:
    if not _is_shortened(name):
        return name.canonical
    safe = _UNSAFE.sub("_", name.canonical)
    digest = hashlib.sha256(name.canonical.encode()).hexdigest()
    short = (f"{safe[: EXPOSED_LENGTH - 1 - n]}_{digest[:n]}" for n in range(8, EXPOSED_LENGTH, 8))
    return next(candidate for candidate in short if candidate not in taken)
