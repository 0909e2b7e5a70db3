"""One POSTed JSON-RPC message, read as far as routing needs it and checked against its headers."""

import base64
import binascii
import re
from dataclasses import replace

import msgspec

from gateway.mcp_headers import NAMED_BY
from gateway.relay.http import Headers
from gateway.relay.refusal import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    Refusal,
)
from supervisor.children.era import (
    CAPABILITIES_KEY,
    HANDSHAKE_VERSIONS,
    MODERN_VERSION,
    VERSION_KEY,
)
from supervisor.children.wire import (
    Envelope,
    Fields,
    decode,
    parse_envelope,
    parse_fields,
    parse_object,
)
from supervisor.spec import Era

_ID = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9]+', re.DOTALL)
VERSION_HEADER = b"mcp-protocol-version"
METHOD_HEADER = b"mcp-method"
NAME_HEADER = b"mcp-name"


class Posted(msgspec.Struct, frozen=True):
    """A message from a caller and the era it speaks."""

    era: Era
    envelope: Envelope
    fields: Fields
    id: bytes
    """The request's id as it came; only to be asked of requests."""
    method: str
    """Only to be asked of requests and notifications."""


def read_envelope(body: bytes) -> Envelope:
    """Return the outer fields of the one JSON-RPC message that a body must be.

    Raises:
        Refusal: it is none; nothing of it was carried out.
    """
    _check_text(body)
    envelope = parse_envelope(body)
    if envelope is None:
        raise _no_message(body)
    if envelope.version != "2.0":
        raise Refusal(INVALID_REQUEST, 'The member "jsonrpc" must be "2.0".')
    if envelope.id is not None and not _is_id(bytes(envelope.id)):
        raise Refusal(INVALID_REQUEST, "A request's id must be a string or a whole number.")
    if envelope.params is not None and not _is_object(envelope.params):
        raise Refusal(INVALID_PARAMS, "The member params must be an object.")
    return envelope


def read_message(body: bytes, headers: Headers) -> Posted:
    """Return the message in a request's body and the era it speaks.

    Raises:
        Refusal: it is not one JSON-RPC message, contradicts its headers, or is of a revision that
            we do not know.
    """
    envelope = read_envelope(body)
    try:
        return _posted(envelope, headers)
    except Refusal as refusal:
        raise replace(refusal, id=bytes(envelope.id or b"null")) from None


def _posted(envelope: Envelope, headers: Headers) -> Posted:
    fields = parse_fields(envelope.params)
    era = _era(envelope, fields, headers)
    return Posted(era, envelope, fields, bytes(envelope.id or b""), envelope.method or "")


def _era(envelope: Envelope, fields: Fields, headers: Headers) -> Era:
    asked, stated = headers.get(VERSION_HEADER), _meta_version(fields)
    if asked in HANDSHAKE_VERSIONS or not _claims_modern(asked, headers, stated):
        if asked is not None and stated not in (None, asked):
            raise _mismatch(VERSION_HEADER, asked, stated)
        return Era.HANDSHAKE
    if stated is None:
        _check_revision(asked or MODERN_VERSION)
    if envelope.method is None:
        raise Refusal(INVALID_REQUEST, "This revision has no requests that a client answers.")
    if envelope.id is not None:
        _check_request(headers, envelope, fields, stated)
    _check_revision(asked or MODERN_VERSION)
    return Era.MODERN


def _claims_modern(asked: str | None, headers: Headers, stated: str | None) -> bool:
    """True for a request that no handshake caller sends: another version header, or an envelope."""
    if asked is None and not headers.repeated(VERSION_HEADER):
        return stated is not None
    return True


def _check_request(
    headers: Headers, envelope: Envelope, fields: Fields, version: str | None
) -> None:
    """Refuse an envelope that lacks a member, and headers that say something else than the body.

    Source: MCP 2026-07-28, basic (per-request fields) and basic/transports (request headers).
    """
    for name in (VERSION_HEADER, METHOD_HEADER, NAME_HEADER):
        if headers.repeated(name):
            raise Refusal(HEADER_MISMATCH, f"The header {name.decode()} was sent more than once.")
    meta = fields.meta or {}
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
    if missing:
        raise Refusal(INVALID_PARAMS, f"The member params._meta lacks {' and '.join(missing)}.")
    _match(headers, VERSION_HEADER, version)
    _match(headers, METHOD_HEADER, envelope.method)
    member = NAMED_BY.get(envelope.method or "")
    if member is not None:
        named = _member(envelope, fields, member)
        if named is not None or headers.get(NAME_HEADER) is not None:
            _match(headers, NAME_HEADER, named)


def _member(envelope: Envelope, fields: Fields, name: str) -> object:
    match name:
        case "name":
            return fields.name
        case "uri":
            return fields.uri
        case _:
            raw = parse_object(envelope.params).get(name)
            return None if raw is None else decode(raw)


def _check_revision(asked: str) -> None:
    if asked != MODERN_VERSION:
        sentence = f"Revision {asked!r} is not supported; use {MODERN_VERSION}, or initialize."
        data = {"supported": [MODERN_VERSION], "requested": asked}
        raise Refusal(UNSUPPORTED_VERSION, sentence, data=data)


def _match(headers: Headers, name: bytes, expected: object) -> None:
    value = headers.get(name)
    if value is None:
        raise Refusal(HEADER_MISMATCH, f"The header {name.decode()} is missing.")
    if expected is None or decoded(value) != expected:
        raise _mismatch(name, value, expected)


def _mismatch(name: bytes, value: str, expected: object) -> Refusal:
    sentence = f"The header {name.decode()} says {value!r}, the body says {expected!r}."
    return Refusal(HEADER_MISMATCH, sentence)


def decoded(value: str) -> str | None:
    """Return a header's text, which comes as ``=?base64?...?=`` beyond ASCII; None if malformed."""
    if not (value.startswith("=?base64?") and value.endswith("?=") and len(value) > 10):
        return value
    payload = value[9:-2]
    try:
        raw = base64.b64decode(payload, validate=True)
        # Base64 of other bits would be a second spelling of the same name.
        return raw.decode("utf-8") if base64.b64encode(raw).decode() == payload else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _meta_version(fields: Fields) -> str | None:
    raw = (fields.meta or {}).get(VERSION_KEY)
    value = None if raw is None else decode(raw)
    return value if isinstance(value, str) else None


def _check_text(body: bytes) -> None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(PARSE_ERROR, "The body is not UTF-8 text.") from error


def _no_message(body: bytes) -> Refusal:
    if body.lstrip()[:1] == b"[":
        sentence = "Batches are not part of MCP; send one message per request."
        return Refusal(INVALID_REQUEST, sentence)
    code = INVALID_REQUEST if _is_json(body) else PARSE_ERROR
    return Refusal(code, "The body is not a JSON-RPC message.")


def _is_id(text: bytes) -> bool:
    return text.isdigit() or _ID.fullmatch(text) is not None


def _is_object(raw: msgspec.Raw) -> bool:
    # Of what may be megabytes, one byte.
    return memoryview(raw)[0] == ord("{")


def _is_json(body: bytes) -> bool:
    try:
        decode(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
