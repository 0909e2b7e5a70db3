"""What callers give as a payload for a tool."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from supervisor.children.wire import decode


class NotAnObject(Exception):
    """A payload that is no JSON object; the message completes "the payload ..."."""


def read_payload(payload: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return the arguments in a payload: an object, or the text of exactly one JSON object.

    Raises:
        NotAnObject: with what it is instead.
    """
    if not isinstance(payload, str):
        return dict(payload)
    try:
        value: object = decode(payload)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise NotAnObject("is text that is no JSON") from None
    if not isinstance(value, dict):
        raise NotAnObject(f"is the JSON text of {kind_of(value)}")
    return cast("dict[str, Any]", value)


def kind_of(value: object) -> str:
    """Return what JSON calls a value, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
