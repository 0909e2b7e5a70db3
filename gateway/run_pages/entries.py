"""A message of a transcript as people read it: texts, tool calls, results. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from gateway.domain.run import RunMessage
from gateway.domain.units import counted


class EntryKind(StrEnum):
    """What an entry is."""

    TEXT = "text"
    """What the model said."""
    THINKING = "thinking"
    CALL = "call"
    RESULT = "result"
    """What a tool answered."""
    NOTE = "note"
    """What the CLI says of itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One part of a message."""

    kind: EntryKind
    title: str
    """The tool of a call; what a note is about."""
    body: str
    call_id: str = ""
    """Joins a result to its call."""
    failed: bool = False
    inner: bool = False
    """Of an agent that the model started."""


def entries_of(message: RunMessage) -> tuple[Entry, ...]:
    """Return what a message holds, in order."""
    body = cast("dict[str, Any]", json.loads(message.body))
    if "beginning" in body:
        cut = f"The beginning of {body['characters']} characters"
        return (Entry(EntryKind.NOTE, cut, str(body["beginning"])),)
    match message.kind:
        case "assistant" | "user":
            return tuple(_parts(body, of_user=message.kind == "user"))
        case "system":
            return (_note(body),)
        case "result":
            return (_end(body),)
        case _:
            return (Entry(EntryKind.NOTE, message.kind, _pretty(body)),)


def _parts(body: dict[str, Any], *, of_user: bool) -> Iterator[Entry]:
    inner = bool(body.get("parent_tool_use_id"))
    content = body.get("content") or ()
    if isinstance(content, str):
        content = ({"text": content},)
    for part in cast("list[dict[str, Any]]", content):
        if "text" in part:
            said = Entry(EntryKind.TEXT, "", str(part["text"]), inner=inner)
            yield Entry(EntryKind.NOTE, "Told", said.body, inner=inner) if of_user else said
        elif "thinking" in part:
            yield Entry(EntryKind.THINKING, "Thinking", str(part["thinking"]), inner=inner)
        elif "tool_use_id" in part:
            yield Entry(
                EntryKind.RESULT,
                "",
                _text_of(part.get("content")),
                str(part["tool_use_id"]),
                failed=bool(part.get("is_error")),
                inner=inner,
            )
        elif "name" in part:
            name, given = str(part["name"]), _pretty(part.get("input"))
            yield Entry(EntryKind.CALL, name, given, str(part.get("id", "")), inner=inner)
        else:
            yield Entry(EntryKind.NOTE, "Other", _pretty(part), inner=inner)


def _text_of(content: object) -> str:
    """Return what a tool answered, as text."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else _pretty(content)
    parts = cast("list[dict[str, Any]]", content)
    return "\n".join(
        str(part["text"]) if part.get("type") == "text" else f"[{part.get('type', 'other')}]"
        for part in parts
    )


def _note(body: dict[str, Any]) -> Entry:
    if body.get("subtype") != "init":
        return Entry(EntryKind.NOTE, str(body.get("subtype", "system")), _pretty(body.get("data")))
    data = cast("dict[str, Any]", body.get("data") or {})
    tools = cast("list[str]", data.get("tools") or [])
    title = f"Began with model {data.get('model', 'unknown')} and {counted(len(tools), 'tool')}"
    return Entry(EntryKind.NOTE, title, "\n".join(tools))


def _end(body: dict[str, Any]) -> Entry:
    failed = bool(body.get("is_error"))
    title = f"Ended: {body.get('subtype', 'unknown')} after {body.get('num_turns', 0)} turns"
    return Entry(EntryKind.NOTE, title, str(body.get("result") or "") if failed else "")


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
