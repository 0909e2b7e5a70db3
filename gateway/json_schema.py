"""Whether a value fits a JSON Schema that somebody else wrote and that is not trusted.

Regular expressions are never run here, references are never fetched, and what is looked at in one
check is bounded: it happens in the event loop.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

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
MAX_STEPS = 100_000
"""Keywords and choices looked at in one check, about half a second."""
MAX_ERRORS = 50
"""Looked at in one payload; nobody mends more at once."""

SCHEMAS_KEPT = 256
"""Reading a schema takes 3 ms, a call that fits it 0.1 ms."""

Keyword = Callable[[Validator, Any, Any, Any], Iterable[ValidationError] | None]

_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_UNFOLLOWABLE = (SchemaError, Unresolvable, UnknownType, RecursionError, TypeError, ValueError)


class Unfollowable(Exception):
    """A schema that leads nowhere, round in circles, or is none."""


@lru_cache(SCHEMAS_KEPT)
def checker_of(schema: bytes) -> "Checker":
    """Return what checks values against a schema, given as JSON. Raises Unfollowable."""
    return Checker(decode(schema))


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
        self._steps = 0
        counted = {word: self._counted(word, check) for word, check in kind.VALIDATORS.items()}
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
        self._references = self._steps = 0
        empty: Registry[Any] = Registry()
        return self._kind(schema, registry=empty)

    def _counted(self, word: str, follow: Keyword) -> Keyword:
        follow = _unique if word == "uniqueItems" else follow
        reference = word in _REFERENCES

        def check(
            validator: Validator, value: Any, instance: Any, schema: Any
        ) -> Iterator[ValidationError]:
            self._references += reference
            self._steps += len(cast("list[object]", value)) if isinstance(value, list) else 1
            if self._references > MAX_REFERENCES or self._steps > MAX_STEPS:
                raise Unfollowable
            yield from follow(validator, value, instance, schema) or ()

        return check


def _unique(_: Validator, wanted: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    """Say whether an item is there twice, without comparing each with each."""
    if wanted is True and isinstance(instance, list):
        items = cast("list[object]", instance)
        if len({_key(item) for item in items}) < len(items):
            yield ValidationError(f"{instance!r} has non-unique elements")


def _key(value: object) -> object:
    """Return what equal values of JSON have in common; 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return frozenset((name, _key(item)) for name, item in members)
    if isinstance(value, list):
        return tuple(_key(item) for item in cast("list[object]", value))
    return (bool, value) if isinstance(value, bool) else value


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
