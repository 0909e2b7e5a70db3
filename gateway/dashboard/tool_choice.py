"""Tools to choose from in a form, grouped by server; what is chosen comes back as names. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.tool_names import ToolName

OWN = (
    "Bash", "Edit", "Glob", "Grep", "NotebookEdit", "Read", "Task", "TodoWrite", "WebFetch",
    "WebSearch", "Write",
)  # fmt: skip
"""Tools of the Claude CLI that a person chooses; the others are typed in."""
OWN_GROUP = "Claude's own tools"


@dataclass(frozen=True, slots=True)
class ToolBox:
    """One tool with its box."""

    name: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class ToolGroup:
    """The tools of one server, or Claude's own."""

    name: str
    tools: tuple[ToolBox, ...]

    @property
    def chosen(self) -> int:
        """How many of them are ticked."""
        return sum(tool.chosen for tool in self.tools)


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Every group, and the chosen names that are in none of them, one a line."""

    groups: tuple[ToolGroup, ...]
    others: str


def tool_choice(live: Mapping[str, Sequence[str]], chosen: Collection[str]) -> ToolChoice:
    """Return what a form shows, by the servers and the tools that they have now."""
    servers = (
        ToolGroup(
            server, tuple(_box(ToolName(server, tool).canonical, tool, chosen) for tool in tools)
        )
        for server, tools in sorted(live.items())
        if tools
    )
    groups = (*servers, ToolGroup(OWN_GROUP, tuple(_box(name, name, chosen) for name in OWN)))
    known = {tool.name for group in groups for tool in group.tools}
    return ToolChoice(groups, "\n".join(name for name in chosen if name not in known))


def chosen_names(ticked: Iterable[str], others: str) -> list[str]:
    """Return the names of a form's boxes and of its lines."""
    return [*ticked, *filter(None, map(str.strip, others.splitlines()))]


def _box(name: str, label: str, chosen: Collection[str]) -> ToolBox:
    return ToolBox(name, label, name in chosen)
