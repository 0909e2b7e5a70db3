"""What is wrong with a payload, in a clause for each fault, and the payload as it should be.

Faults tell the kind of what came and never its value. Above: `invoke`.
"""

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
from jsonschema.exceptions import ValidationError, relevance

from gateway.json_schema import Checker, Unfollowable
from gateway.tool_names import did_you_mean
from gateway.tools.example import Maker
from gateway.tools.payload import kind_of
from supervisor.children.wire import decode

SHOWN_FAULTS = 3
SHOWN_CHARACTERS = 120
EXAMPLE_CHARACTERS = 2000
MAX_MENDS = 30
_LIMITS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be greater than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "minProperties": "must have at least {} properties",
    "maxProperties": "must have at most {} properties",
    "enum": "must be one of {}",
    "const": "must be {}",
    "uniqueItems": "must not hold the same item twice",
}


def faults_in(payload: Mapping[str, Any], checker: Checker) -> list[ValidationError]:
    """Return what does not fit, the nearest to the top first; nothing where the schema cannot tell.

    Errors of a choice stand for the form that came nearest.
    """
    try:
        errors = checker.errors(payload)
    except Unfollowable:
        return []
    return [_deepest(error) for error in sorted(errors, key=relevance, reverse=True)]


def sentence_of_faults(faults: Iterable[ValidationError]) -> str:
    """Return the faults as clauses, the first few in full."""
    clauses = list(dict.fromkeys(clause_of(fault) for fault in faults))
    more = len(clauses) - SHOWN_FAULTS
    tail = f"; and {more} more" if more > 0 else ""
    return "; ".join(clauses[:SHOWN_FAULTS]) + tail


def mended(payload: Mapping[str, Any], checker: Checker) -> str | None:
    """Return a payload that fits as JSON text: the caller's own, changed where it does not.

    An example from the schema alone stands for one that cannot be mended or is long; None where
    there is no example either.
    """
    mend = copy.deepcopy(dict(payload))
    for _ in range(MAX_MENDS):
        faults = faults_in(mend, checker)
        if not faults:
            text = json.dumps(mend, ensure_ascii=False)
            if len(text) <= EXAMPLE_CHARACTERS:
                return text
            break
        if not _mend(mend, faults[0], Maker(checker)):
            break
    example = Maker(checker).payload()
    text = None if example is None else json.dumps(example, ensure_ascii=False)
    return text if text is None or len(text) <= EXAMPLE_CHARACTERS else None


def _deepest(error: ValidationError) -> ValidationError:
    """Return the error itself, or inside the form of a choice that fits best, the first there."""
    while error.validator in ("anyOf", "oneOf") and error.context:
        inner = [each for each in error.context if each.absolute_path != error.absolute_path]
        if not inner:
            return error
        error = max(inner, key=_depth)
    return error


def _depth(error: ValidationError) -> int:
    return len(error.absolute_path)


def argument_of(error: ValidationError) -> str | None:
    """Return the argument that a fault is in, or that is missing; None for the whole."""
    if error.absolute_path:
        return str(error.absolute_path[0])
    return _missing(error) if error.validator == "required" else None


def clause_of(error: ValidationError) -> str:
    """Return a fault as a clause that begins with where it is."""
    where = ".".join(str(part) for part in error.absolute_path) or "the payload"
    wanted, got = cast("Any", error.validator_value), kind_of(error.instance)
    rule = str(error.validator)
    if rule == "required":
        return f"{_inside(where, str(_missing(error)))} is required"
    if rule in ("additionalProperties", "unevaluatedProperties"):
        names = _known(error)
        extra = _extras(error)
        takes = f"it takes {', '.join(names) or 'nothing'}"
        hint = "".join(did_you_mean(name, names) for name in extra[:1]).removesuffix("?")
        asked = hint.replace(" Did you mean", ", did you mean")
        return f"{where} has no {' or '.join(extra[:3]) or 'such property'} ({takes}{asked})"
    if rule == "type":
        kinds = [wanted] if isinstance(wanted, str) else cast("list[str]", wanted)
        return f"{where} must be of type {' or '.join(kinds)}, not {got}"
    if rule in ("anyOf", "oneOf"):
        return f"{where} must fit one of {len(wanted)} forms, which {got} does not"
    if rule in _LIMITS:
        return f"{where} {_LIMITS[rule].format(_short(wanted))}, got {got}"
    return f"{where} breaks the rule {rule} of its schema, got {got}"


def _mend(payload: dict[str, Any], error: ValidationError, maker: Maker) -> bool:
    """Change one thing so that one fault is gone. False when nothing can be done."""
    path = list(error.absolute_path)
    if error.validator == "required":
        return _add_missing(error, maker)
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        return _drop_extras(error)
    value = _converted(error.instance, error)
    if value is None:
        value = maker.value(error.schema)
    if value is None or not path:
        return False
    at: Any = payload
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return True


def _add_missing(error: ValidationError, maker: Maker) -> bool:
    """Add what is required; a name that was nearly right is put right."""
    held, schema = cast("dict[str, Any]", error.instance), cast("dict[str, Any]", error.schema)
    name = _missing(error)
    if name is None:
        return False
    known = schema.get("properties", {})
    near = [
        extra for extra in held if extra not in known and repr(name) in did_you_mean(extra, [name])
    ]
    if near:
        held[name] = held.pop(near[0])
        return True
    value = maker.value(known.get(name, True))
    held[name] = value
    return value is not None


def _drop_extras(error: ValidationError) -> bool:
    held = cast("dict[str, Any]", error.instance)
    extras = _extras(error)
    for name in extras:
        del held[name]
    return bool(extras)


def _converted(value: object, error: ValidationError) -> Any | None:
    """Return the value in the type that was wanted, when it is only written in another."""
    if error.validator != "type":
        return None
    kinds = error.validator_value
    kinds = [kinds] if isinstance(kinds, str) else cast("list[str]", kinds)
    if isinstance(value, str) and (read := _read(value)) is not None:
        if kind_of(read).split()[-1] in kinds:
            return read
    elif "string" in kinds and isinstance(value, int | float):
        return json.dumps(value)
    return [value] if "array" in kinds and not isinstance(value, dict) else None


def _read(text: str) -> Any | None:
    """Return what the text says as JSON, None when it says nothing."""
    try:
        return decode(text.lower() if text.lower() in ("true", "false") else text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _missing(error: ValidationError) -> str | None:
    # jsonschema makes one error for each missing name and says it in the message alone.
    wanted = cast("list[str]", error.validator_value)
    held = cast("dict[str, Any]", error.instance)
    return next(
        (name for name in wanted if error.message.startswith(repr(name)) and name not in held), None
    )


def _extras(error: ValidationError) -> list[str]:
    held, known = cast("dict[str, Any]", error.instance), _known(error)
    return [name for name in held if name not in known]


def _known(error: ValidationError) -> list[str]:
    return list(cast("dict[str, Any]", error.schema).get("properties", {}))


def _inside(where: str, name: str) -> str:
    return name if where == "the payload" else f"{where}.{name}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
