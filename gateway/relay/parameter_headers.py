"""`Mcp-Param-*`: arguments that a modern caller repeats in headers, for those who route by them.

Source: MCP 2026-07-28, basic/transports, custom headers: a property of a tool's input schema that
is annotated with `x-mcp-header` has to say the same in both places, or be absent from both.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

import msgspec

from gateway.relay.http import Headers
from gateway.relay.refusal import HEADER_MISMATCH, Refusal
from gateway.relay.request import Posted, decoded
from supervisor.children.lists import Tool
from supervisor.children.wire import decode, parse_object
from supervisor.slots.slot import Slot

ANNOTATION = "x-mcp-header"
PREFIX = b"mcp-param-"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES = frozenset({"string", "integer", "boolean"})
_WHOLE = re.compile(r"(-?[0-9]{1,100})(?:\.0+)?")
MAX_DEPTH = 32
"""Of nested objects in a schema that are looked through."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """One argument that is repeated in a header."""

    path: tuple[str, ...]
    header: bytes
    type: str


class ParameterHeaders:
    """Checks calls against the tool lists of their servers, reading each list once."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Slot, _Known] = WeakKeyDictionary()

    def check(self, slot: Slot, posted: Posted, headers: Headers) -> None:
        """Refuse headers that contradict the arguments of a tool call; pass all else.

        Raises:
            Refusal: with the code of a header mismatch.
        """
        if posted.method != "tools/call":
            return
        known = self._known.get(slot)
        if known is None or known.tools is not slot.tools:
            known = self._known[slot] = _Known(slot.tools, _annotations(slot.tools))
        annotated = known.annotated.get(posted.fields.name or "")
        if annotated:
            _check(annotated, parse_object(posted.envelope.params).get("arguments"), headers)


@dataclass(frozen=True, slots=True)
class _Known:
    tools: tuple[Tool, ...]
    annotated: Mapping[str, Sequence[Annotated]]


def _annotations(tools: tuple[Tool, ...]) -> dict[str, tuple[Annotated, ...]]:
    found = {tool["name"]: tuple(_of_schema(tool.get("inputSchema"))) for tool in tools}
    return {name: annotated for name, annotated in found.items() if _sound(annotated)}


def _sound(annotated: tuple[Annotated, ...]) -> bool:
    """False when clients have to ignore the annotations: they then send no such header."""
    names = [one.header for one in annotated]
    return bool(names) and all(names) and len(set(names)) == len(names)


def _of_schema(schema: object, path: tuple[str, ...] = ()) -> Iterator[Annotated]:
    if not isinstance(schema, dict) or len(path) > MAX_DEPTH:
        return
    body = cast(dict[str, Any], schema)
    if path and ANNOTATION in body:
        yield Annotated(path, _header(body), str(body.get("type")))
    properties = body.get("properties")
    if isinstance(properties, dict):
        for name, part in cast(dict[str, Any], properties).items():
            yield from _of_schema(part, (*path, name))


def _header(schema: Mapping[str, Any]) -> bytes:
    """Return the header of an annotated property; empty when the annotation is not valid."""
    token = schema[ANNOTATION]
    if isinstance(token, str) and _TOKEN.fullmatch(token) and schema.get("type") in _TYPES:
        return PREFIX + token.lower().encode()
    return b""


def _check(annotated: Sequence[Annotated], arguments: msgspec.Raw | None, headers: Headers) -> None:
    given: object = decode(arguments) if arguments is not None else {}
    for one in annotated:
        value = _at(given, one.path)
        name, argument = one.header.decode(), ".".join(one.path)
        if headers.repeated(one.header):
            raise Refusal(HEADER_MISMATCH, f"The header {name} was sent more than once.")
        sent = headers.get(one.header)
        if (sent is None) != (value is None):
            absent = f"the argument {argument!r} is absent" if value is None else "it is missing"
            raise Refusal(
                HEADER_MISMATCH, f"The header {name} does not go with the body: {absent}."
            )
        if sent is not None and not _same(one.type, value, decoded(sent)):
            sentence = f"The header {name} says {sent!r}, the argument {argument!r} differs."
            raise Refusal(HEADER_MISMATCH, sentence)


def _at(value: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = cast(dict[str, object], value).get(key)
    return value


def _same(kind: str, value: object, sent: str | None) -> bool:
    if sent is None:
        return False
    if isinstance(value, bool):
        return sent == ("true" if value else "false")
    if kind == "integer" and isinstance(value, int | float):
        whole = _WHOLE.fullmatch(sent)
        return whole is not None and int(whole[1]) == value
    return isinstance(value, str | int | float) and sent == str(value)
