"""Payloads are checked against schemas that a child wrote, without trusting the child."""

import time
from typing import Any

import pytest

from gateway.json_schema import Checker, Unfollowable
from gateway.tools.mending import faults_in, mended, sentence_of_faults
from gateway.tools.payload import NotAnObject, read_payload

SEND: dict[str, Any] = {
    "type": "object",
    "properties": {
        "to": {"type": "string"},
        "copies": {"type": "integer", "minimum": 1},
        "urgent": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "from": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
    "required": ["to"],
    "additionalProperties": False,
}


def sentence(payload: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return what is wrong with a payload."""
    return sentence_of_faults(faults_in(payload, Checker(schema)))


def followed(payload: dict[str, Any], schema: object) -> str | None:
    """Return what is wrong, None when the schema cannot tell."""
    try:
        return sentence_of_faults(faults_in(payload, Checker(schema)))
    except Unfollowable:
        return None


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({"to": "a", "copies": 2}, ""),
        ({}, "to is required"),
        ({"to": 1}, "to must be of type string, not an integer"),
        ({"to": "a", "copies": 0}, "copies must be at least 1, got an integer"),
        ({"to": "a", "from": {"name": 1.5}}, "from.name must be of type string, not a number"),
        ({"to": "a", "tags": ["b", None]}, "tags.1 must be of type string, not null"),
        (
            {"to": "a", "cc": "b"},
            "the payload has no cc (it takes to, copies, urgent, tags, from)",
        ),
        (
            {"to": "a", "copys": 1},
            "the payload has no copys (it takes to, copies, urgent, tags, from, did you mean"
            " 'copies')",
        ),
        (
            {"copies": "1", "urgent": 1, "tags": "x", "from": []},
            "copies must be of type integer, not a string; urgent must be of type boolean, not an"
            " integer; tags must be of type array, not a string; and 2 more",
        ),
    ],
)
def test_a_fault_is_told_with_place_expectation_and_kind(
    payload: dict[str, Any], fault: str
) -> None:
    """Ours: the caller learns which argument to change; its value is not repeated."""
    assert sorted(sentence(payload, SEND).split("; ")) == sorted(fault.split("; ")) or (
        "more" in fault and sentence(payload, SEND).count(";") == fault.count(";")
    )


@pytest.mark.parametrize(
    ("schema", "value", "fault"),
    [
        ({"enum": ["a", "b"]}, "c", 'x must be one of ["a", "b"], got a string'),
        ({"const": 5}, 6, "x must be 5, got an integer"),
        ({"type": ["string", "null"]}, 1, "x must be of type string or null, not an integer"),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            1,
            "x must fit one of 2 forms, which an integer does not",
        ),
        (
            {"anyOf": [{"type": "object", "properties": {"y": {"type": "string"}}}]},
            {"y": 1},
            "x.y must be of type string, not an integer",
        ),
        ({"minLength": 3}, "ab", "x must have at least 3 characters, got a string"),
        ({"uniqueItems": True}, [1, 1], "x must not hold the same item twice, got an array"),
        ({"not": {}}, 1, "x breaks the rule not of its schema, got an integer"),
    ],
)
def test_every_rule_has_its_words(schema: dict[str, Any], value: object, fault: str) -> None:
    """Ours: never the library's own message, which repeats values."""
    assert sentence({"x": value}, {"properties": {"x": schema}}) == fault


@pytest.mark.parametrize(
    ("payload", "fits"),
    [
        ({"to": "a", "copies": "2"}, '{"to": "a", "copies": 2}'),
        ({"to": 5, "urgent": "TRUE"}, '{"to": "5", "urgent": true}'),
        ({"to": "a", "tags": '["x"]', "copies": 0}, '{"to": "a", "tags": ["x"], "copies": 1}'),
        ({"to": "a", "tags": "x"}, '{"to": "a", "tags": ["x"]}'),
        ({"too": "a"}, '{"to": "a"}'),
        ({"to": "a", "cc": 1, "from": {"name": None}}, '{"to": "a", "from": {"name": "text"}}'),
        ({"copies": []}, '{"copies": 1, "to": "text"}'),
        ({"to": "a", "from": "b"}, '{"to": "a", "from": {}}'),
        ({"to": ["x" * 3000]}, '{"to": "text"}'),
    ],
)
def test_a_payload_is_mended_with_what_the_caller_gave(payload: dict[str, Any], fits: str) -> None:
    """Ours: what was only written wrong keeps its value; the caller's own is not changed."""
    before = repr(payload)
    assert mended(payload, Checker(SEND)) == fits
    assert repr(payload) == before


def test_a_childs_regular_expression_is_never_run() -> None:
    """Ours: a pattern with exponential backtracking would stop the gateway."""
    evil = {"type": "string", "pattern": "^(a+)+$"}
    schema = {
        "type": "object",
        "properties": {"x": evil, "pattern": {"type": "integer"}, "$schema": {"type": "integer"}},
        "patternProperties": {"^(b+)+$": {"type": "integer"}},
        "additionalProperties": False,
    }
    before = time.process_time()
    assert sentence({"x": "a" * 40 + "!", "b" * 40 + "!": 1}, schema) == ""
    expected = "pattern must be of type integer, not a string"
    assert sentence({"pattern": "x"}, schema) == expected
    assert sentence({"$schema": "x"}, schema) == expected.replace("pattern", "$schema")
    assert time.process_time() - before < 5


def test_items_are_told_apart_without_comparing_each_with_each() -> None:
    """Ours: fifty thousand objects would take an hour, in the event loop."""
    checker = Checker({"properties": {"x": {"type": "array", "uniqueItems": True}}})
    many: list[object] = [0, *({"a": [n]} for n in range(50_000))]
    before = time.process_time()
    assert faults_in({"x": many}, checker) == []
    assert len(faults_in({"x": [*many, {"a": [7]}]}, checker)) == 1
    assert time.process_time() - before < 5
    assert len(faults_in({"x": [1, 1.0]}, checker)) == 1
    assert faults_in({"x": [1, True, "1", [1], {"1": 1}, None]}, checker) == []


def test_a_check_that_takes_too_many_steps_is_none() -> None:
    """Ours: a long list of choices, asked of many items."""
    items = {"enum": [{"n": n} for n in range(5000)]}
    checker = Checker({"properties": {"x": {"items": items}}})
    before = time.process_time()
    assert faults_in({"x": [{"n": -1}] * 50_000}, checker) == []
    assert time.process_time() - before < 5
    assert len(faults_in({"x": [{"n": -1}]}, checker)) == 1


@pytest.mark.parametrize("extra", [{}, {"$schema": "http://json-schema.org/draft-07/schema#"}])
def test_references_that_ask_for_billions_of_steps_are_not_followed(extra: dict[str, str]) -> None:
    """Ours: forty definitions that name the next one twice would take years."""
    twice: dict[str, Any] = {
        f"d{n}": {**extra, "anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)
    }
    schema = {
        "$defs": {**twice, "d40": {"type": "integer"}},
        "properties": {"x": {"$ref": "#/$defs/d0"}},
    }
    before = time.process_time()
    assert faults_in({"x": "a"}, Checker(schema)) == []
    assert mended({"x": "a"}, Checker(schema)) == '{"x": "a"}'
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"$dynamicRef": "#"},
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
    assert not followed({"to": "a"}, schema)


@pytest.mark.parametrize("text", ['{"a": {"b": 1}}', ' {"a": {"b": 1}}\n'])
def test_the_text_of_an_object_is_read_as_the_object(text: str) -> None:
    """Ours: models write payloads as strings; what is in them stays as it is."""
    assert read_payload(text) == read_payload({"a": {"b": 1}}) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is text that is no JSON"),
        ("to=a", "is text that is no JSON"),
        ('{"a": NaN}', "is text that is no JSON"),
        ('{"a": 1} {}', "is text that is no JSON"),
        ("\ud800", "is text that is no JSON"),
        ("[" * 100_000, "is text that is no JSON"),
        ("[1]", "is the JSON text of an array"),
        ('"{}"', "is the JSON text of a string"),
        ("null", "is the JSON text of null"),
        ("1e5", "is the JSON text of a number"),
    ],
)
def test_other_text_is_no_payload(text: str, what: str) -> None:
    """Ours: exactly one object, written once."""
    with pytest.raises(NotAnObject) as refused:
        read_payload(text)
    assert str(refused.value) == what
