"""A small payload that fits a tool's input schema, made from the schema alone.

A child wrote the schema: its references stay inside it, its regular expressions are never run, and
depth and size are bounded. What is made is checked before it is shown.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from gateway.json_schema import Checker, Unfollowable
from gateway.tools.merging import Schema, merge

MAX_DEPTH = 12
"""Schemas in schemas; deeper ones repeat themselves."""
MAX_REPEATS = 50
"""Items, properties and attempts that a minimum may ask for."""
MAX_CHARACTERS = 1000
MAX_OTHERS = 3
"""Values of one form that are tried: the first may fit another form as well."""
MAX_STEPS = 1000
"""Parts of schemas that are looked at for one value."""
TEXT = "text"
FORMATS: Mapping[str, str] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "name@example.com",
    "idn-email": "name@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "/path",
    "iri": "https://example.com/",
    "iri-reference": "/path",
    "uri-template": "https://example.com/{id}",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "json-pointer": "/name",
    "relative-json-pointer": "1/name",
    "regex": "^text$",
}
_KEYS_OF_KINDS = (
    ("object", ("properties", "required", "additionalProperties", "minProperties")),
    ("array", ("items", "prefixItems", "minItems", "contains")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


class Impossible(Exception):
    """No value was found that fits."""


class Maker:
    """Makes values for one schema and its parts."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._steps = 0

    def payload(self) -> dict[str, Any] | None:
        """Return the smallest arguments found that fit the whole schema, None when none were."""
        value = self.value(self._checker.root or {"type": "object"})
        return cast("dict[str, Any]", value) if isinstance(value, dict) else None

    def value(self, part: object) -> Any | None:
        """Return a value that fits a part of the schema, None when none was found."""
        try:
            value = self._make(part, 0, 0)
            return value if self._checker.fits(value, part) else None
        except (Impossible, Unfollowable, RecursionError):
            return None
        except (TypeError, ValueError, AttributeError, OverflowError):
            # A child's schema may hold anything where the standard wants a number or an object.
            return None

    def _make(self, schema: object, depth: int, nth: int) -> Any:
        """Return a value; another one for each `nth`, where the schema has several."""
        self._steps += 1
        if schema is False or depth > MAX_DEPTH or self._steps > MAX_STEPS:
            raise Impossible
        if not isinstance(schema, dict):
            return _text({}, nth)
        flat = self._flat(cast("Schema", schema))
        named = _named(flat)
        if named is not None:
            return self._nth_fit(named, flat, nth)
        forms = list(_forms(flat))
        if forms:
            return self._nth_fit(self._made(forms, depth + 1, nth), flat, 0)
        told = [*flat.get("examples", ()), flat.get("default")]
        for value in told[nth:]:
            if value is not None and self._checker.fits(value, flat):
                return value
        return self._typed(flat, depth, nth)

    def _flat(self, schema: Schema) -> dict[str, Any]:
        """Return the schema without references and without allOf."""
        flat = dict(schema)
        for _ in range(MAX_DEPTH):
            if "$ref" in flat:
                flat = merge(self._target(flat.pop("$ref")), flat)
            elif "allOf" in flat:
                for part in flat.pop("allOf"):
                    flat = merge(flat, _object(part))
            else:
                return flat
        raise Impossible

    def _target(self, reference: object) -> Schema:
        at: Any = self._checker.root
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise Impossible
        for part in reference.removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            try:
                at = cast("list[Any]", at)[int(key)] if isinstance(at, list) else at[key]
            except LookupError:
                raise Impossible from None
        return cast("Schema", at)

    def _made(self, forms: Iterable[Schema], depth: int, nth: int) -> Iterator[Any]:
        for form, other in itertools.product(forms, range(MAX_OTHERS)):
            try:
                yield self._make(form, depth, nth + other)
            except Impossible:
                continue

    def _nth_fit(self, values: Iterable[Any], schema: Schema, nth: int) -> Any:
        for value in values:
            if self._checker.fits(value, schema):
                if nth == 0:
                    return value
                nth -= 1
        raise Impossible

    def _typed(self, schema: dict[str, Any], depth: int, nth: int) -> Any:
        match _kind(schema):
            case "object":
                return self._object(schema, depth + 1, nth)
            case "array":
                return self._array(schema, depth + 1)
            case "integer" | "number" as kind:
                return self._nth_fit(_numbers(schema, whole=kind == "integer"), schema, nth)
            case "boolean":
                return nth % 2 == 0
            case "null":
                return None
            case _:
                return _text(schema, nth)

    def _object(self, schema: dict[str, Any], depth: int, nth: int) -> dict[str, Any]:
        known = cast("dict[str, Any]", schema.get("properties", {}))
        more = schema.get("additionalProperties", True)
        made: dict[str, Any] = {}
        wanted = list(schema.get("required", ()))
        for name in wanted:
            if name not in made:
                made[name] = self._make(known.get(name, more), depth, nth)
                wanted += schema.get("dependentRequired", {}).get(name, ())
        least = min(schema.get("minProperties", 0), MAX_REPEATS)
        for name in known:
            if len(made) < least and name not in made:
                made[name] = self._make(known[name], depth, nth)
        for number in range(MAX_REPEATS):
            if len(made) >= least:
                break
            name = self._make(schema.get("propertyNames", True), depth, number)
            made.setdefault(str(name), self._make(more, depth, number))
        return made

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        least = min(schema.get("minItems", 0), MAX_REPEATS)
        made = [self._make(item, depth, 0) for item in schema.get("prefixItems", [])[:least]]
        if "contains" in schema:
            times = min(schema.get("minContains", 1), MAX_REPEATS)
            made += [self._make(schema["contains"], depth, nth) for nth in range(times)]
        for nth in range(2 * MAX_REPEATS):
            if len(made) >= least:
                break
            item = self._make(schema.get("items", True), depth, nth)
            if not schema.get("uniqueItems") or item not in made:
                made.append(item)
        return made


def _named(schema: Schema) -> list[Any] | None:
    """Return the only values that the schema allows by name, None when it names none."""
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _forms(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schema with one of its choices taken, null last; nothing when it has none."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            rest = {name: value for name, value in schema.items() if name != key}
            for option in sorted(map(_object, schema[key]), key=_is_null):
                yield merge(rest, option)
            return
    if "if" in schema:
        rest = {k: v for k, v in schema.items() if k not in ("if", "then", "else")}
        yield merge(rest, schema.get("else") or {})
        yield merge(merge(rest, schema["if"]), schema.get("then") or {})


def _object(schema: Any) -> Schema:
    return cast("Schema", schema) if isinstance(schema, dict) else {}


def _is_null(schema: Schema) -> bool:
    return schema.get("type") == "null"


def _kind(schema: Schema) -> str:
    """Return the type to make: the first that is not null, or what the other keys speak of."""
    kinds = schema.get("type")
    if isinstance(kinds, str):
        return kinds
    if kinds:
        return next((kind for kind in kinds if kind != "null"), "null")
    speaking = (kind for kind, keys in _KEYS_OF_KINDS if any(key in schema for key in keys))
    return next(speaking, "string")


def _text(schema: Schema, nth: int) -> str:
    text = FORMATS.get(str(schema.get("format", "")), TEXT)
    longest = schema.get("maxLength", MAX_CHARACTERS)
    mark = str(nth + 1) if nth else ""
    text = text.ljust(min(schema.get("minLength", 0), MAX_CHARACTERS) - len(mark), "x")
    return text[: max(0, longest - len(mark))] + mark


def _numbers(schema: Schema, *, whole: bool) -> Iterator[float]:
    """Yield numbers that may fit, 1 and its neighbours first, then those around each bound."""
    keys = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    bounds = [schema[key] for key in keys if _is_number(schema.get(key))]
    step = schema.get("multipleOf", 1)
    middle = [sum(bounds) / len(bounds)] if bounds and not whole else []
    for start in (1, *bounds, *middle):
        first = start if start in middle else math.floor(start / step) * step
        halves = () if whole else (0.5,)
        for away in (0, *halves, *range(1, MAX_REPEATS), *range(-1, -MAX_REPEATS, -1)):
            number = round(first + away * step, 10)
            yield int(number) if float(number).is_integer() else number


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
