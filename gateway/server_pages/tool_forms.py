"""A form from the input schema of a tool, and arguments from what was typed into it. Pure.

A schema that a form cannot express has none; its arguments are typed as JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import msgspec

from gateway.tools.payload import kind_of
from supervisor.children.wire import decode

MAX_FIELDS = 40
MAX_OPTIONS = 100
MAX_HINT = 600
SHORT_TEXT = 200
"""Characters up to which a text is typed into one line."""
_BEYOND_A_FORM = frozenset(
    {"anyOf", "oneOf", "allOf", "not", "if", "$ref", "$dynamicRef", "patternProperties"}
    | {"dependentSchemas", "dependentRequired", "propertyNames", "minProperties"}
)
_BOUNDS = (
    ("format", "format {}"),
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("exclusiveMinimum", "more than {}"),
    ("exclusiveMaximum", "less than {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("default", "{} if left empty"),
)

Schema = Mapping[str, Any]


class FieldKind(StrEnum):
    """How an argument is typed."""

    LINE = "line"
    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Field:
    """One argument."""

    key: str
    """Its name in the form, for its own may be any text."""
    name: str
    kind: FieldKind
    required: bool
    hint: str
    options: tuple[str, ...] = ()
    """Values as JSON, for a choice."""

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The options with what is shown of each: a text without its quotes."""
        return [
            (option, str(json.loads(option))) if option[0] == '"' else (option, option)
            for option in self.options
        ]


@dataclass(frozen=True, slots=True)
class Filled:
    """What was typed."""

    arguments: dict[str, Any]
    problems: dict[str, str]
    """By the name of the argument."""


def fields_of(schema: object) -> tuple[Field, ...] | None:
    """Return the fields of a form; None where no form can say what the schema allows."""
    if not isinstance(schema, dict):
        return None
    whole = cast("dict[str, Any]", schema)
    known: object = whole.get("properties", {})
    if (
        whole.get("type", "object") != "object"
        or not isinstance(known, dict)
        or len(cast("dict[str, Any]", known)) > MAX_FIELDS
        or _BEYOND_A_FORM & whole.keys()
        or whole.get("additionalProperties")
    ):
        return None
    required: object = whole.get("required", [])
    needed = cast("list[object]", required) if isinstance(required, list) else []
    return tuple(
        _field(f"a{index}", name, _plain(part), required=name in needed)
        for index, (name, part) in enumerate(cast("dict[str, Any]", known).items())
    )


def read_fields(fields: Sequence[Field], form: Mapping[str, str]) -> Filled:
    """Return the arguments that were typed; what is empty and may be is left out."""
    filled = Filled({}, {})
    for field in fields:
        typed = form.get(field.key, "").replace("\r\n", "\n")
        if field.kind in (FieldKind.LINE, FieldKind.TEXT):
            if typed or field.required:
                filled.arguments[field.name] = typed
        elif typed.strip():
            _read(field, typed.strip(), filled)
    return filled


def _read(field: Field, typed: str, filled: Filled) -> None:
    try:
        value: object = decode(typed)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        what = "a number" if field.kind is FieldKind.NUMBER else "JSON"
        filled.problems[field.name] = f"This is not {what}."
        return
    if field.kind is FieldKind.NUMBER and kind_of(value) not in ("an integer", "a number"):
        filled.problems[field.name] = "This is not a number."
    elif field.kind is FieldKind.CHOICE and typed not in field.options:
        filled.problems[field.name] = "This is none of the choices."
    else:
        filled.arguments[field.name] = value


def _field(key: str, name: str, part: Schema, *, required: bool) -> Field:
    options = _options(part)
    kind = FieldKind.CHOICE if options else _kind(part)
    return Field(key, name, kind, required, _hint(part, kind), options)


def _kind(part: Schema) -> FieldKind:
    match part.get("type"):
        case "string":
            longest: object = part.get("maxLength")
            is_short = isinstance(longest, int) and longest <= SHORT_TEXT
            return FieldKind.LINE if is_short or "format" in part else FieldKind.TEXT
        case "integer" | "number":
            return FieldKind.NUMBER
        case _:
            return FieldKind.JSON


def _options(part: Schema) -> tuple[str, ...]:
    if part.get("type") == "boolean":
        return ("true", "false")
    given: object = [part["const"]] if "const" in part else part.get("enum")
    if not isinstance(given, list):
        return ()
    values = cast("list[object]", given)
    if not values or len(values) > MAX_OPTIONS:
        return ()
    return tuple(json.dumps(value, ensure_ascii=False) for value in values)


def _plain(part: object) -> Schema:
    """Return a part of a schema without the choice of null, which is to leave the field empty."""
    if not isinstance(part, dict):
        return {}
    schema = cast("dict[str, Any]", part)
    kinds: object = schema.get("type")
    if isinstance(kinds, list):
        others = [kind for kind in cast("list[object]", kinds) if kind != "null"]
        return {**schema, "type": others[0]} if len(others) == 1 else {**schema, "type": None}
    forms: object = schema.get("anyOf")
    if isinstance(forms, list):
        others = [form for form in cast("list[object]", forms) if form != {"type": "null"}]
        if len(others) == 1 and isinstance(others[0], dict):
            return {**schema, **cast("dict[str, Any]", others[0])}
    return schema


def _hint(part: Schema, kind: FieldKind) -> str:
    said: object = part.get("description")
    bounds = [
        words.format(_short(part[word]))
        for word, words in _BOUNDS
        if word in part and not isinstance(part[word], dict | list)
    ]
    if kind is FieldKind.JSON:
        bounds.insert(0, f"JSON of {_article(part.get('type'))}")
    sentences = [said if isinstance(said, str) else "", ", ".join(bounds)]
    return " · ".join(filter(None, sentences))[:MAX_HINT]


def _article(kind: object) -> str:
    return {"array": "an array", "object": "an object"}.get(str(kind), "any value")


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
