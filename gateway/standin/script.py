"""What the stand-in answers: pure functions from a request to a reply."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import anyio

LABEL = "[stand-in]"
"""Begins every text the stand-in says, so that nobody takes it for a model."""


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool as the CLI offered it to the model."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What one request to the Messages API asked."""

    model: str
    prompt: str
    """Text of the first user message, with what the CLI puts around it."""
    tools: tuple[OfferedTool, ...]
    tool_results: tuple[str, ...]
    """Results of the calls so far, oldest first."""
    body: Mapping[str, Any] = field(repr=False)
    """The request as it came."""
    streamed: bool = True

    @property
    def mcp_tools(self) -> tuple[OfferedTool, ...]:
        """The offered tools of MCP servers."""
        return tuple(tool for tool in self.tools if tool.name.startswith("mcp__"))


@dataclass(frozen=True, slots=True)
class Say:
    """End the turn with a text; the label is put before it."""

    text: str
    delay_s: float = 0.0
    pieces: int = 1
    """In how many it is streamed."""
    hold: anyio.Event | None = None
    """The last piece waits for it."""


@dataclass(frozen=True, slots=True)
class Call:
    """Ask for one tool call."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an HTTP error in the API's shape."""

    status: int = 500
    kind: str = "api_error"
    message: str = "scripted failure"


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answer."""


Reply = Say | Call | Refuse | Hang
Script = Callable[[ModelRequest], Reply]


def call_then_report(request: ModelRequest) -> Reply:
    """Call the MCP tool that the prompt names, else the first one offered, then say its result.

    A JSON object in the prompt becomes the arguments; without one they are made from the schema.
    """
    if request.tool_results:
        return Say(f"The tool answered: {request.tool_results[-1]}")
    tool = _wanted_tool(request)
    if tool is None:
        return Say("No MCP tool was offered, so there was nothing to call.")
    arguments = _object_in(request.prompt)
    return Call(tool.name, example(tool.schema) if arguments is None else arguments)


def example(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the smallest plausible arguments for an object schema: its required properties."""
    properties = cast("Mapping[str, Mapping[str, Any]]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    return {name: _example_value(properties.get(name, {})) for name in required}


def _example_value(schema: Mapping[str, Any]) -> object:
    if choices := schema.get("enum"):
        return choices[0]
    values: dict[str, object] = {
        "integer": 1, "number": 1.5, "boolean": False, "array": [], "object": {}, "null": None,
    }  # fmt: skip
    return values.get(str(schema.get("type")), "stand-in")


def _wanted_tool(request: ModelRequest) -> OfferedTool | None:
    offered = request.mcp_tools
    named = (tool for tool in offered if tool.name in request.prompt)
    by_short_name = (tool for tool in offered if _short_name(tool) in request.prompt.split())
    first = iter(offered)
    for choice in (named, by_short_name, first):
        if tool := next(choice, None):
            return tool
    return None


def _short_name(tool: OfferedTool) -> str:
    return tool.name.split("__", 2)[-1]


def _object_in(text: str) -> dict[str, Any] | None:
    """Return the first JSON object written in `text`, or None."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start != -1:
        try:
            return decoder.raw_decode(text, start)[0]
        except ValueError:
            start = text.find("{", start + 1)
    return None
