"""What is told of a tool: in a few words where many are found, in full where one is meant. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from gateway.json_schema import Checker, Unfollowable
from gateway.tools.example import Maker

SUMMARY_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class ToolHit:
    """A tool that was found."""

    tool: str
    """The name to give describe_tool and invoke_internal_mcp_tool."""
    title: str
    description: str
    """Its beginning."""
    arguments: list[str]
    """Names; a question mark means optional."""


def hit_of(text: str, definition: Mapping[str, Any]) -> ToolHit:
    """Return a tool as searches show it."""
    schema = object_of(definition.get("inputSchema"))
    required = schema.get("required", [])
    names = list(object_of(schema.get("properties")))
    description = " ".join(str(definition.get("description") or "").split())
    if len(description) > SUMMARY_CHARACTERS:
        description = f"{description[:SUMMARY_CHARACTERS]}..."
    return ToolHit(
        tool=text,
        title=title_of(definition),
        description=description,
        arguments=[name if name in required else f"{name}?" for name in names],
    )


def title_of(definition: Mapping[str, Any]) -> str:
    """Return the title that a definition gives its tool, or nothing."""
    annotations = object_of(definition.get("annotations"))
    return str(definition.get("title") or annotations.get("title") or "")


def object_of(value: object) -> dict[str, Any]:
    """Return a JSON object as it is, an empty one for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def example_of(schema: object) -> dict[str, Any] | None:
    """Return a small payload that fits a schema; None where none could be made from it."""
    try:
        return Maker(Checker(schema)).payload()
    except Unfollowable:
        return None
