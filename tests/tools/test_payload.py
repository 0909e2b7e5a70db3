"""Payloads are checked against schemas that a child wrote, without trusting the child."""

import time
from typing import Any

import pytest

from gateway.tools.payload import expectation_of, fault_of

SEND: dict[str, Any] = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "copies": {"type": "integer", "minimum": 1}},
    "required": ["to"],
    "additionalProperties": False,
}


def test_a_payload_that_fits_has_no_fault() -> None:
    """JSON Schema."""
    assert fault_of({"to": "a", "copies": 2}, SEND) is None


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({}, "'to' is a required property"),
        ({"to": 1}, "to: 1 is not of type 'string'"),
        ({"to": "a", "copies": 0}, "copies: 0 is less than the minimum of 1"),
        (
            {"to": "a", "cc": "b"},
            "Additional properties are not allowed ('cc' was unexpected)",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(payload: dict[str, Any], fault: str) -> None:
    """Ours: the caller learns which argument to change."""
    assert fault_of(payload, SEND) == fault


def test_a_childs_regular_expression_is_never_run() -> None:
    """Ours: a pattern with exponential backtracking would stop the gateway."""
    evil = {"type": "string", "pattern": "^(a+)+$"}
    schema = {
        "type": "object",
        "properties": {"x": evil, "pattern": {"type": "integer"}},
        "patternProperties": {"^(b+)+$": {"type": "integer"}},
        "additionalProperties": False,
    }
    before = time.monotonic()
    assert fault_of({"x": "a" * 40 + "!", "b" * 40 + "!": 1}, schema) is None
    assert fault_of({"pattern": "x"}, schema) == "pattern: 'x' is not of type 'integer'"
    assert time.monotonic() - before < 2


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"type": "nonsense"},
        {"type": 5},
        {"properties": []},
        "text",
        None,
        True,
    ],
)
def test_a_schema_that_cannot_be_followed_is_not_held_against_the_caller(schema: object) -> None:
    """Ours: the child decides then; nothing is fetched and nothing breaks."""
    assert fault_of({"to": "a"}, schema) is None


def test_a_long_schema_is_shown_cut() -> None:
    """Ours: a refusal is a sentence, not a document."""
    assert expectation_of(SEND).startswith('{"type":"object"')
    assert len(expectation_of({"description": "x" * 10_000})) < 2100
