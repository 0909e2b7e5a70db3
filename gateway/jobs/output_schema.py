"""The JSON Schema that the answer of a run must fit: as it is given, kept and shown. Pure."""

import json
from collections.abc import Mapping
from typing import Any, cast

from gateway.jobs.errors import JobError
from gateway.json_schema import Checker, Unfollowable

MAX_SCHEMA_BYTES = 16 * 1024
"""It is an argument of the CLI and part of every request to the model."""
MAX_OUTPUT_BYTES = 64 * 1024
SHOWN_CHARS = 200
"""Of what does not fit."""


class InvalidOutputSchema(JobError):
    """A schema that no answer can be held against."""


def read_schema(schema: Mapping[str, Any]) -> str:
    """Return a schema as the JSON text that is kept of it. Raises InvalidOutputSchema."""
    try:
        kept = {key: value for key, value in schema.items() if key != "$schema"}
        text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > MAX_SCHEMA_BYTES:
            raise InvalidOutputSchema(
                f"The argument output_schema has {size} bytes;"
                f" at most {MAX_SCHEMA_BYTES} are allowed."
            )
        Checker(json.loads(text))
    except (Unfollowable, RecursionError, ValueError):
        raise InvalidOutputSchema("The argument output_schema is no JSON Schema.") from None
    if kept.get("type") != "object":
        raise InvalidOutputSchema(
            'The argument output_schema must describe an object; give it "type": "object".'
        )
    if remote := _remote(kept):
        raise InvalidOutputSchema(
            f"The argument output_schema refers to {remote[:80]!r}, which is not fetched;"
            " refer to its own parts, as in '#/$defs/name'."
        )
    return text


def changed_schema(old: str | None, given: Mapping[str, Any] | None) -> str | None:
    """Return what a schema becomes: None keeps it, an empty object clears it.

    Raises InvalidOutputSchema.
    """
    if given is None:
        return old
    return read_schema(given) if given else None


def shown_json(text: str | None) -> Any:
    """Return JSON that is kept as text as the value it is, None for none."""
    return None if text is None else json.loads(text)


def misfit(schema: str, value: object) -> str | None:
    """Return in one clause why `value` is not what `schema` asks for, or None."""
    if value is None:
        return "the model gave none"
    size = len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    if size > MAX_OUTPUT_BYTES:
        return f"it has {size} bytes; at most {MAX_OUTPUT_BYTES} are kept"
    try:
        errors = Checker(json.loads(schema)).errors(value)
    except Unfollowable:
        return "its schema cannot be followed"
    if not errors:
        return None
    first = min(errors, key=lambda error: len(error.absolute_path))
    return f"{first.json_path}: {first.message[:SHOWN_CHARS]}"


def _remote(value: object) -> str | None:
    """Return a reference that leads out of the schema, if there is one."""
    if isinstance(value, dict):
        parts = cast("dict[str, object]", value)
        for word in ("$ref", "$dynamicRef"):
            reference = parts.get(word)
            if isinstance(reference, str) and not reference.startswith("#"):
                return reference
        return next(filter(None, map(_remote, parts.values())), None)
    if isinstance(value, list):
        return next(filter(None, map(_remote, cast("list[object]", value))), None)
    return None
