"""Forms that are made from schemas which other people wrote, and what is typed into them."""

import base64

import pytest

from gateway.server_pages.answers import MAX_TEXT, parts_of
from gateway.server_pages.kept import KEEP_S, Kept
from gateway.server_pages.tool_forms import Field, FieldKind, Filled, fields_of, read_fields


def test_each_argument_has_the_field_of_its_kind() -> None:
    """Issue 8: strings, numbers, booleans, enums; arrays and objects as JSON text."""
    properties = {
        "line": {"type": "string", "maxLength": 80},
        "text": {"type": "string", "description": "Long"},
        "number": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": 1.5},
        "flag": {"type": ["boolean", "null"]},
        "choice": {"enum": ["a", 2, None]},
        "list": {"type": "array", "items": {"type": "string"}},
        "anything": True,
        "mixed": {"type": ["string", "integer"]},
    }
    fields = fields_of({"type": "object", "properties": properties, "required": ["line"]})
    assert fields is not None
    assert [(field.kind, field.required, field.options) for field in fields] == [
        (FieldKind.LINE, True, ()),
        (FieldKind.TEXT, False, ()),
        (FieldKind.NUMBER, False, ()),
        (FieldKind.CHOICE, False, ("true", "false")),
        (FieldKind.CHOICE, False, ('"a"', "2", "null")),
        (FieldKind.JSON, False, ()),
        (FieldKind.JSON, False, ()),
        (FieldKind.JSON, False, ()),
    ]
    assert [field.hint for field in fields[:3]] == [
        "at most 80 characters",
        "Long",
        "1.5 if left empty",
    ]


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "array"},
        {"type": "object", "properties": []},
        {"type": "object", "oneOf": [{}, {}]},
        {"$ref": "#/$defs/a"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {str(n): {} for n in range(41)}},
    ],
)
def test_what_a_form_cannot_say_is_typed_as_json(schema: object) -> None:
    """Issue 8: the page falls back to one field of JSON."""
    assert fields_of(schema) is None


def test_what_is_typed_becomes_arguments_and_what_is_wrong_is_said_at_its_field() -> None:
    """Ours: an empty field is no argument, except for a text that is required."""

    def field(name: str, kind: FieldKind, *options: str, required: bool = False) -> Field:
        return Field(name, name, kind, required, "", options)

    fields = (
        field("to", FieldKind.LINE, required=True),
        field("body", FieldKind.TEXT),
        field("none", FieldKind.TEXT),
        field("count", FieldKind.NUMBER),
        field("half", FieldKind.NUMBER),
        field("mood", FieldKind.CHOICE, '"a b"', "null"),
        field("other", FieldKind.CHOICE, "true"),
        field("tags", FieldKind.JSON),
        field("broken", FieldKind.JSON),
    )
    typed = {
        "body": "a\r\nb",
        "count": " 2 ",
        "half": "two",
        "mood": '"a b"',
        "other": "false",
        "tags": '["x"]',
        "broken": "{",
    }
    assert read_fields(fields, typed) == Filled(
        {"to": "", "body": "a\nb", "count": 2, "mood": "a b", "tags": ["x"]},
        {
            "half": "This is not a number.",
            "other": "This is none of the choices.",
            "broken": "This is not JSON.",
        },
    )


def test_an_answer_is_shown_as_text_and_as_images_that_are_what_they_say() -> None:
    """Ours: a type is not believed, and a long answer is cut."""
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()
    result = {
        "content": [
            {"type": "text", "text": "x" * (MAX_TEXT + 5)},
            {"type": "image", "mimeType": "image/png", "data": png},
            {"type": "image", "mimeType": "image/png", "data": "PHN2Zz4="},
            {"type": "image", "mimeType": "image/svg+xml", "data": "PHN2Zz4="},
            {"type": "image", "mimeType": "image/png", "data": '"onerror='},
            {"type": "audio", "mimeType": "audio/wav", "data": "AAAA"},
            "no block",
        ]
    }
    shown = [(part.text[-40:], part.image) for part in parts_of(result)]
    assert shown == [
        ("x" * 20 + "\n… 5 more characters", ""),
        ("", f"data:image/png;base64,{png}"),
        ("It is not what it says it is.", ""),
        ("Images of this type are not shown.", ""),
        ("It is no base64.", ""),
        ("audio/wav, 4 characters", ""),
        ("{}", ""),
    ]


def test_what_became_of_forms_is_kept_for_a_while_and_bounded() -> None:
    """Ours: every table has a bound."""
    now = [0.0]
    kept: Kept[int] = Kept(2, lambda: now[0])
    first, second, third = (kept.keep(number) for number in range(3))
    assert [kept.find(key) for key in (first, second, third)] == [None, 1, 2]
    now[0] = KEEP_S
    assert kept.find(third) is None
