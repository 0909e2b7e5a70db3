"""Example payloads fit the schemas they are made from, whatever their shape."""

import json
import random
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.json_schema import Checker
from gateway.tools.example import FORMATS, Maker

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 6}, "age": {"type": "integer"}},
    "required": ["name"],
}
SHAPES: dict[str, Any] = {
    "anything": {},
    "true": True,
    "string": {"type": "string"},
    "short": {"type": "string", "maxLength": 2},
    "long": {"type": "string", "minLength": 30, "maxLength": 30},
    "enum": {"enum": ["b", "a"]},
    "enum of others": {"type": "integer", "enum": ["a", None, 3]},
    "const": {"const": {"a": [1]}},
    "integer": {"type": "integer", "minimum": 5, "maximum": 5},
    "exclusive": {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7},
    "between": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
    "negative": {"type": "integer", "maximum": -10, "multipleOf": 7},
    "multiple": {"type": "integer", "minimum": 10, "multipleOf": 25},
    "tenths": {"type": "number", "minimum": 0.25, "multipleOf": 0.5},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "nullable": {"type": ["null", "string"]},
    "optional": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 3}], "default": None},
    "one of": {
        "oneOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
    },
    "exactly one number": {"oneOf": [{"type": "integer"}, {"type": "number", "maximum": 10}]},
    "all of": {"allOf": [PERSON, {"required": ["age"], "properties": {"age": {"minimum": 18}}}]},
    "narrowed": {"allOf": [{"type": "number", "minimum": 1}, {"type": "integer", "minimum": 9}]},
    "not": {"type": "string", "not": {"const": "other"}},
    "if": {
        "properties": {"kind": {"enum": ["a", "b"]}, "more": {"type": "integer"}},
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["more"]},
    },
    "list": {"type": "array", "items": PERSON, "minItems": 2},
    "different": {"type": "array", "items": {"type": "string"}, "minItems": 4, "uniqueItems": True},
    "different numbers": {
        "type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True
    },
    "different people": {"type": "array", "items": PERSON, "minItems": 3, "uniqueItems": True},
    "some of these": {
        "type": "array", "items": {"enum": ["x", "y"]}, "minItems": 2, "uniqueItems": True
    },
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "boolean"}],
        "items": False,
        "minItems": 2,
    },
    "contains": {"type": "array", "contains": {"type": "integer", "minimum": 7}, "minContains": 2},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "closed": {**PERSON, "additionalProperties": False, "minProperties": 2},
    "required of none": {"type": "object", "required": ["a"], "additionalProperties": PERSON},
    "named": {
        "type": "object", "propertyNames": {"maxLength": 3}, "minProperties": 2
    },
    "dependent": {
        "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}},
        "required": ["a"],
        "dependentRequired": {"a": ["b"]},
    },
    "reference": {"$ref": "#/$defs/person"},
    "reference beside": {"$ref": "#/$defs/person", "required": ["age"]},
    "tree": {"$ref": "#/$defs/tree"},
    "escaped": {"$ref": "#/$defs/a~1b"},
    "told": {"type": "string", "examples": ["Ada"]},
    "wrong example": {"type": "integer", "examples": ["x"], "default": "y", "minimum": 2},
    "default": {"type": "array", "items": {"type": "string"}, "default": ["d"]},
    "no type": {"minimum": 5},
    "deep": {"type": "object", "properties": {"x": {"type": "object", "properties": {"y": PERSON},
             "required": ["y"]}}, "required": ["x"]},
    **{f"format {name}": {"type": "string", "format": name} for name in FORMATS},
}  # fmt: skip
DEFINITIONS = {
    "person": PERSON,
    "a/b": {"const": 1},
    "tree": {
        "type": "object",
        "properties": {
            "value": {"type": "integer"},
            "left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
        },
        "required": ["value", "left", "children"],
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_example_fits_its_schema(shape: str) -> None:
    """JSON Schema 2020-12, with its formats checked by another judge."""
    schema = {
        "$defs": DEFINITIONS,
        "type": "object",
        "properties": {"x": SHAPES[shape], "y": {"type": "string"}},
        "required": ["x"],
        "additionalProperties": False,
    }
    example = Maker(Checker(schema)).payload()
    assert example is not None
    judge = Draft202012Validator.FORMAT_CHECKER
    Draft202012Validator(schema, format_checker=judge).validate(example)
    assert list(example) == ["x"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"x": False}, "required": ["x"]},
        {"type": "object", "properties": {"x": {"$ref": "#/nowhere"}}, "required": ["x"]},
        {"type": "object", "properties": {"x": {"$ref": "#/properties/x"}}, "required": ["x"]},
        {"type": "object", "required": ["x"], "maxProperties": 0},
        {"type": "object", "properties": {"x": {"enum": []}}, "required": ["x"]},
        {"type": "array"},
        {"type": "object", "properties": {"x": {"minLength": "a"}}, "required": ["x"]},
    ],
)
def test_no_example_is_shown_where_none_fits(schema: dict[str, Any]) -> None:
    """Ours: a wrong example is worse than none."""
    try:
        checker = Checker(schema)
    except Exception as error:  # noqa: BLE001
        assert type(error).__name__ == "Unfollowable"
    else:
        assert Maker(checker).payload() is None


def test_hostile_schemas_cost_little() -> None:
    """Ours: a child cannot stop the gateway by what it lists."""
    wide: dict[str, Any] = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(9)
    }
    hostile = [
        {"$defs": wide, "type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}},
        {"properties": {"x": {"type": "array", "minItems": 10**9}}},
        {"properties": {"x": {"type": "string", "minLength": 10**9}}},
        {"properties": {"x": {"type": "object", "minProperties": 10**9}}},
        {"properties": {"x": {"type": "number", "multipleOf": 1e-300}}},
        {"properties": {"x": {"type": "integer", "minimum": 10**400}}},
        {"properties": {"x": {"type": "number", "minimum": 1e308, "exclusiveMinimum": 1e308}}},
    ]
    before = time.process_time()
    for schema in hostile:
        Maker(Checker({**schema, "required": ["x"]})).payload()
    assert time.process_time() - before < 5


def test_schemas_of_any_make_get_a_fitting_example_or_none() -> None:
    """Ours: whatever is shown fits."""
    luck = random.Random(11)  # noqa: S311
    made = 0
    for _ in range(300):
        schema = {"type": "object", "properties": {"x": _some(luck, 3)}, "required": ["x"]}
        example = Maker(Checker(schema)).payload()
        if example is not None:
            made += 1
            Draft202012Validator(schema).validate(example)
            json.dumps(example)
    assert made > 250


def _some(luck: random.Random, depth: int) -> dict[str, Any]:
    """Return a schema that luck made."""
    kind = luck.choice(
        ["string", "integer", "number", "array", "object", "any"][: 6 if depth else 3]
    )
    match kind:
        case "string":
            low = luck.randrange(12)
            return {"type": kind, "minLength": low, "maxLength": low + luck.randrange(5)}
        case "integer" | "number":
            low = luck.randrange(-20, 20)
            step = luck.choice([1, 2, 5])
            return {"type": kind, "minimum": low, "maximum": low + 10, "multipleOf": step}
        case "array":
            items = _some(luck, depth - 1)
            return {"type": kind, "items": items, "minItems": luck.randrange(4)}
        case "object":
            names = luck.sample("abcdef", luck.randrange(4))
            return {
                "type": kind,
                "properties": {name: _some(luck, depth - 1) for name in names},
                "required": names[: luck.randrange(3)],
                "minProperties": luck.randrange(3),
            }
        case _:
            choice = luck.choice(["anyOf", "oneOf", "allOf"])
            return {choice: [_some(luck, depth - 1) for _ in range(luck.randrange(1, 3))]}
