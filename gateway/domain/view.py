"""What a token shows of the servers' tools: which ones, and under which names."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

ALL = "*"
MAX_TOOLS = 1000
MAX_NAME_CHARACTERS = 128
"""Of a tool's name (MCP 2025-11-25, server/tools, tool names)."""

_TOOL = re.compile(r"mcp__(?P<server>[A-Za-z0-9-]+|\*(?=__\*$))__(?P<tool>.+)", re.DOTALL)
OWN_TOOLS = frozenset({"search_tools", "describe_tool", "call_tool"})
"""Names that the combined endpoint gives to tools of its own."""

_OWN_NAME = re.compile(rf"(?!mcp__)[A-Za-z0-9_.-]{{1,{MAX_NAME_CHARACTERS}}}")


def split_name(text: str) -> tuple[str, str | None]:
    """Return a tool of a list, and the own name that ``mcp__server__tool=name`` gives it, if any.

    Rules for the CLI's own tools, in which anything may stand, are no tools of servers.
    """
    full, mark, own = text.partition("=")
    return (full, own) if mark and full.startswith("mcp__") else (text, None)


class InvalidView(Exception):
    """What a token shall show cannot be meant so; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class View:
    """The tools that a caller may see and call; everything else is not there for it."""

    tools: frozenset[str]
    """``mcp__server__tool``; ``mcp__server__*`` for all of a server, ``mcp__*__*`` of every one."""
    names: tuple[tuple[str, str], ...] = ()
    """Full name and own name of each tool that the combined endpoint shows under another one."""
    servers: frozenset[str] = field(init=False, compare=False)
    """Servers of which it has at least one tool; prompts and resources go with them."""

    def __post_init__(self) -> None:
        found = (_TOOL.fullmatch(name) for name in self.tools)
        object.__setattr__(self, "servers", frozenset(match["server"] for match in found if match))

    @property
    def has_every_server(self) -> bool:
        """True when no server and no tool of one is left out."""
        return ALL in self.servers

    def may_use(self, server: str) -> bool:
        """True when it has anything of this server."""
        return server in self.servers or self.has_every_server

    def may_call(self, server: str, tool: str) -> bool:
        """True when it has this tool."""
        names = {f"mcp__{server}__{ALL}", f"mcp__{server}__{tool}"}
        return not names.isdisjoint(self.tools) or self.has_every_server


def read_view(
    servers: Iterable[str], tools: Iterable[str], renames: Iterable[tuple[str, str]]
) -> View | None:
    """Return what somebody asked a token to show; None when they named nothing.

    Raises:
        InvalidView: a name cannot be one, or a rename is of a tool that is not shown.
    """
    names = dict(renames)
    shown = [*(f"mcp__{server}__{ALL}" for server in servers), *tools]
    if not shown and not names:
        return None
    if len(shown) > MAX_TOOLS:
        raise InvalidView(f"A token names at most {MAX_TOOLS} servers and tools.")
    for name in (*shown, *names):
        if not _TOOL.fullmatch(name):
            raise InvalidView(f"{name[:80]!r} is no tool; write it like 'mcp__server__tool'.")
    view = View(frozenset(shown), tuple(sorted(names.items())))
    _check_names(view)
    return view


def _check_names(view: View) -> None:
    taken: set[str] = set()
    for full, own in view.names:
        match = _TOOL.fullmatch(full)
        assert match is not None
        if match["tool"] == ALL or not view.may_call(match["server"], match["tool"]):
            raise InvalidView(f"{full!r} is renamed, but the token does not show it.")
        check_own_name(own, taken)
        taken.add(own)


def check_own_name(own: str, taken: Collection[str]) -> None:
    """Accept a name for a tool. Raises InvalidView for what is none, or another's."""
    if not _OWN_NAME.fullmatch(own):
        raise InvalidView(
            f"{own[:80]!r} cannot be a tool's name: at most {MAX_NAME_CHARACTERS} letters,"
            " digits, '_', '-' and '.', not beginning with 'mcp__'."
        )
    if own in taken or own in OWN_TOOLS:
        raise InvalidView(f"{own!r} is the name of another tool already.")
