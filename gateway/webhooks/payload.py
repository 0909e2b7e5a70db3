"""Reads what a sender posted. Pure; whatever cannot be read is refused in one sentence."""

import json
from email.message import Message
from http import HTTPStatus
from typing import NoReturn, cast
from urllib.parse import parse_qsl

from gateway.domain.delivery import Outcome
from gateway.webhooks.refusal import Refused

FORM = "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 1000
EMBEDDED = "payload"
"""GitHub and Slack put their JSON into this field of a form."""


def check_kind(content_type: str, encoding: str) -> None:
    """Accept JSON, text and forms that are not compressed. Raises Refused.

    Compressed bodies: a signature is over the bytes as sent, and a small body could unpack to any
    size.
    """
    if encoding.lower() not in ("", "identity"):
        sentence = "A compressed body is not taken; send it without Content-Encoding."
        raise Refused(Outcome.UNSUPPORTED, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, sentence)
    kind = media_type(content_type)
    if not (kind in ("", FORM) or kind.startswith("text/") or _is_json(kind)):
        sentence = "A webhook takes JSON, text or a URL-encoded form."
        raise Refused(Outcome.UNSUPPORTED, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, sentence)


def read_payload(body: bytes, content_type: str) -> object:
    """Return the payload: JSON if it is JSON, a form's fields, else its text. Raises Refused.

    Bytes that claim to be JSON must be; a sender that says nothing may post plain text.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        _malformed("The body is not UTF-8 text.")
    kind = media_type(content_type)
    if kind == FORM:
        return _read_form(text)
    try:
        return _read_json(text)
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = str(error).partition("(char")[0].strip()
    if _is_json(kind) and text:
        _malformed(f"The body is not valid JSON: {reason}.")
    return text


def media_type(content_type: str) -> str:
    """Return the type without parameters, in lower case; '' without one."""
    message = Message()
    message["content-type"] = content_type
    return message.get_content_type() if content_type else ""


def _is_json(kind: str) -> bool:
    return kind.endswith(("/json", "+json"))


def _read_form(text: str) -> object:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        _malformed(f"The form has more than {MAX_FORM_FIELDS} fields.")
    fields = dict(pairs)
    try:
        embedded = _read_json(fields.get(EMBEDDED, ""))
    except (ValueError, RecursionError):
        return fields
    return cast("object", embedded) if isinstance(embedded, dict) else fields


def _read_json(text: str) -> object:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _malformed(sentence: str) -> NoReturn:
    raise Refused(Outcome.MALFORMED, HTTPStatus.BAD_REQUEST, sentence)
