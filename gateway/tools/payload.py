"""Whether a value fits a tool's input schema, which a child wrote and which is not trusted.

A child's regular expressions are never run here, its references are never fetched and are followed
a bounded number of times: the child checks the first itself, and a schema that cannot be followed
is not held against the caller.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import (
    extend,  # pyright: ignore[reportUnknownVariableType] - its keywords are not typed
    validator_for,
)
from referencing import Registry
from referencing.exceptions import Unresolvable

from supervisor.children.wire import decode

MAX_REFERENCES = 3000
"""Followed in one check, a good half second; a few that name each other twice ask for billions."""
MAX_ERRORS = 50
"""Looked at in one payload; nobody mends more at once."""

SCHEMAS_KEPT = 256
"""Reading a schema takes 3 ms, a call that fits it 0.1 ms."""

Keyword = Callable[[Validator, Any, Any, Any], Iterable[ValidationError] | None]

_UNFOLLOWABLE = (SchemaError, Unresolvable, UnknownType, RecursionError, TypeError, ValueError)


class NotAnObject(Exception):
    """A payload that is no JSON object; the message completes "the payload ..."."""


class Unfollowable(Exception):
    """A schema that leads nowhere, round in circles, or is none."""


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


@lru_cache(SCHEMAS_KEPT)
def checker_of(schema: bytes) -> "Checker":
    """Return what checks values against a schema, given as JSON. Raises Unfollowable."""
    return Checker(decode(schema))


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


class Checker:
    """Checks values against one schema and its parts."""

    def __init__(self, schema: object) -> None:
        """Read the schema. Raises Unfollowable."""
        if not isinstance(schema, dict):
            raise Unfollowable
        try:
            whole = cast("dict[str, Any]", schema)
            kind = validator_for(whole, default=Draft202012Validator)
            self.root = _tame(whole)
            kind.check_schema(self.root)
        except _UNFOLLOWABLE as error:
            raise Unfollowable from error
        self._references = 0
        counted = {
            word: self._counted(kind.VALIDATORS[word])
            for word in ("$ref", "$dynamicRef", "$recursiveRef")
            if word in kind.VALIDATORS
        }
        self._kind = cast("type[Validator]", extend(kind, counted))

    def errors(self, value: Any) -> list[ValidationError]:
        """Return what is wrong with `value`, up to a bound. Raises Unfollowable."""
        found: list[ValidationError] = []
        try:
            for error in self._validator(self.root).iter_errors(value):
                found.append(error)
                if len(found) == MAX_ERRORS:
                    break
        except _UNFOLLOWABLE as error:
            raise Unfollowable from error
        return found

    def fits(self, value: Any, part: object) -> bool:
        """Return whether `value` fits a part of the schema. Raises Unfollowable."""
        if not isinstance(part, dict):
            return part is not False
        shared = {key: self.root[key] for key in ("$defs", "definitions") if key in self.root}
        try:
            return self._validator({**shared, **part}).is_valid(value)
        except _UNFOLLOWABLE as error:
            raise Unfollowable from error

    def _validator(self, schema: dict[str, Any]) -> Validator:
        self._references = 0
        empty: Registry[Any] = Registry()
        return self._kind(schema, registry=empty)

    def _counted(self, follow: Keyword) -> Keyword:
        def check(
            validator: Validator, reference: Any, instance: Any, schema: Any
        ) -> Iterator[ValidationError]:
            self._references += 1
            if self._references > MAX_REFERENCES:
                raise Unfollowable
            yield from follow(validator, reference, instance, schema) or ()

        return check


def _tame(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return `schema` without regular expressions; a property named `pattern` is not one.

    Also without `$schema`, by which a part could choose its own rules for references.
    """
    tame = {key: _tame_value(value) for key, value in schema.items()}
    for word in ("pattern", "$schema"):
        if isinstance(tame.get(word), str):
            del tame[word]
    if tame.pop("patternProperties", None) is not None:
        tame.pop("additionalProperties", None)
        tame.pop("unevaluatedProperties", None)
    return tame


def _tame_value(value: object) -> object:
    if isinstance(value, dict):
        return _tame(cast("dict[str, Any]", value))
    if isinstance(value, list):
        return [_tame_value(item) for item in cast("list[object]", value)]
    return value
