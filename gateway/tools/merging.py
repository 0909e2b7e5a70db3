"""Two JSON schemas as one that wants what both want; exact where tools need it, else a guess.

Above: `example`, which checks what it makes of the result.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

_LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SCHEMAS = ("items", "additionalProperties", "contains", "propertyNames")


def merge(first: Schema, second: Schema) -> dict[str, Any]:
    """Return one schema for what must fit both."""
    merged = dict(first)
    for key, value in second.items():
        merged[key] = _both(key, merged[key], value) if key in merged else value
    return merged


def _both(key: str, first: Any, second: Any) -> Any:
    if first == second:
        return first
    if key in _LOWEST + _HIGHEST and _is_number(first) and _is_number(second):
        return max(first, second) if key in _LOWEST else min(first, second)
    if key == "allOf":
        return [*first, *second]
    if key in _SCHEMAS:
        return {"allOf": [first, second]}
    special = _SPECIAL.get(key)
    return second if special is None else special(first, second)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _properties(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {
        **first,
        **{
            name: {"allOf": [first[name], schema]} if name in first else schema
            for name, schema in second.items()
        },
    }


def _definitions(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {**first, **second}


def _names(first: list[str], second: list[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


def _shared(first: list[Any], second: list[Any]) -> list[Any]:
    return [value for value in first if value in second]


def _types(first: str | list[str], second: str | list[str]) -> list[str]:
    one = [first] if isinstance(first, str) else first
    other = [second] if isinstance(second, str) else second
    kept = [name for name in one if name in other]
    if "integer" in (*one, *other) and "number" in (*one, *other) and "integer" not in kept:
        kept.append("integer")
    return kept


_SPECIAL: dict[str, Callable[[Any, Any], Any]] = cast(
    "dict[str, Callable[[Any, Any], Any]]",
    {
        "properties": _properties,
        "$defs": _definitions,
        "required": _names,
        "enum": _shared,
        "type": _types,
    },
)
