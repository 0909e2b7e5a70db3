"""Whether a payload fits a tool's input schema, which a child wrote and which is not trusted.

A child's regular expressions are never run here, and its references are never fetched: the child
checks the first itself, and a schema that cannot be followed is not held against the caller.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError, relevance
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

SHOWN_CHARACTERS = 2000


def fault_of(payload: Mapping[str, Any], schema: object) -> str | None:
    """Return what is wrong with `payload`, as a clause, or None when nothing is."""
    if not isinstance(schema, dict):
        return None
    try:
        tame = _without_patterns(cast("dict[str, Any]", schema))
        error = _best_match(_validator(tame).iter_errors(payload))
    except (SchemaError, Unresolvable, UnknownType, RecursionError, TypeError, ValueError):
        return None
    return None if error is None else _clause(error)


def expectation_of(schema: object) -> str:
    """Return `schema` as short JSON text."""
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _validator(schema: dict[str, Any]) -> Validator:
    kind = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(schema)
    empty: Registry[Any] = Registry()
    return kind(schema, registry=empty)


def _best_match(errors: Iterable[ValidationError]) -> ValidationError | None:
    return max(errors, key=relevance, default=None)


def _clause(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    text = error.message if len(error.message) <= 300 else f"{error.message[:300]}..."
    return f"{where}: {text}" if where else text


def _without_patterns(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return `schema` without regular expressions; a property named `pattern` is not one."""
    tame = {key: _tame(value) for key, value in schema.items()}
    if isinstance(tame.get("pattern"), str):
        del tame["pattern"]
    if tame.pop("patternProperties", None) is not None:
        tame.pop("additionalProperties", None)
        tame.pop("unevaluatedProperties", None)
    return tame


def _tame(value: object) -> object:
    if isinstance(value, dict):
        return _without_patterns(cast("dict[str, Any]", value))
    if isinstance(value, list):
        return [_tame(item) for item in cast("list[object]", value)]
    return value
