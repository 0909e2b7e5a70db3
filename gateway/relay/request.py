"""One POSTed JSON-RPC message, read as far as routing needs it and checked against its headers."""

import base64
import binascii
import re
from dataclasses import dataclass

import msgspec

from gateway.relay.http import Headers
from gateway.relay.refusal import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    Refusal,
)
from supervisor.children.era import HANDSHAKE_VERSIONS, MODERN_VERSION, VERSION_KEY
from supervisor.children.wire import Envelope, Fields, decode, parse_envelope, parse_fields
from supervisor.spec import Era

_ID = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9]+', re.DOTALL)
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass(frozen=True, slots=True)
class Posted:
    """A message from a caller and the era it speaks."""

    era: Era
    envelope: Envelope
    fields: Fields

    @property
    def id(self) -> bytes:
        """The request's id as it came; only asked of requests."""
        assert self.envelope.id is not None
        return bytes(self.envelope.id)

    @property
    def method(self) -> str:
        """The method; only asked of requests and notifications."""
        assert self.envelope.method is not None
        return self.envelope.method


def read_envelope(body: bytes) -> Envelope:
    """Return the outer fields of the one JSON-RPC message that a body must be.

    Raises:
        Refusal: it is none; nothing of it was carried out.
    """
    _check_text(body)
    if body.lstrip()[:1] == b"[":
        raise Refusal(INVALID_REQUEST, "Batches are not part of MCP; send one message per request.")
    envelope = parse_envelope(body)
    if envelope is None:
        code = INVALID_REQUEST if _is_json(body) else PARSE_ERROR
        raise Refusal(code, "The body is not a JSON-RPC message.")
    if envelope.version != "2.0":
        raise Refusal(INVALID_REQUEST, 'The member "jsonrpc" must be "2.0".')
    if envelope.id is not None and not _ID.fullmatch(bytes(envelope.id)):
        raise Refusal(INVALID_REQUEST, "A request's id must be a string or a whole number.")
    if envelope.params is not None and bytes(envelope.params)[:1] != b"{":
        raise Refusal(INVALID_PARAMS, "The member params must be an object.")
    return envelope


def read_message(body: bytes, headers: Headers) -> Posted:
    """Return the message in a request's body and the era it speaks.

    Raises:
        Refusal: it is not one JSON-RPC message, or contradicts its headers.
    """
    envelope = read_envelope(body)
    fields = parse_fields(envelope.params)
    era = _era(headers, fields)
    if era is Era.MODERN:
        _check_headers(headers, envelope, fields)
    return Posted(era, envelope, fields)


def _era(headers: Headers, fields: Fields) -> Era:
    asked = headers.get(b"mcp-protocol-version")
    if asked is None and not headers.repeated(b"mcp-protocol-version"):
        return Era.MODERN if _meta_version(fields) == MODERN_VERSION else Era.HANDSHAKE
    if asked == MODERN_VERSION:
        return Era.MODERN
    if asked in HANDSHAKE_VERSIONS:
        return Era.HANDSHAKE
    supported = [*HANDSHAKE_VERSIONS, MODERN_VERSION]
    raise Refusal(
        UNSUPPORTED_VERSION,
        f"MCP-Protocol-Version {asked!r} is not supported; use one of {', '.join(supported)}.",
        data={"supported": supported, "requested": asked},
    )


def _check_headers(headers: Headers, envelope: Envelope, fields: Fields) -> None:
    """Refuse headers that say something else than the body.

    Source: MCP 2026-07-28, basic/transports, standard request headers.
    """
    _match(headers, b"mcp-protocol-version", _meta_version(fields) or MODERN_VERSION)
    if envelope.method is None or envelope.id is None:
        return
    _match(headers, b"mcp-method", envelope.method)
    member = _NAMED.get(envelope.method)
    if member is not None:
        _match(headers, b"mcp-name", fields.uri if member == "uri" else fields.name)


def _match(headers: Headers, name: bytes, expected: str | None) -> None:
    shown = name.decode()
    if headers.repeated(name):
        raise Refusal(HEADER_MISMATCH, f"The header {shown} was sent more than once.")
    value = headers.get(name)
    if value is None:
        raise Refusal(HEADER_MISMATCH, f"The header {shown} is missing.")
    if _decoded(value) != expected:
        raise Refusal(
            HEADER_MISMATCH, f"The header {shown} says {value!r}, the body says {expected!r}."
        )


def _decoded(value: str) -> str:
    """Return a header's text; names beyond ASCII come as ``=?base64?...?=``."""
    if not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return value


def _meta_version(fields: Fields) -> str | None:
    raw = (fields.meta or {}).get(VERSION_KEY)
    value = None if raw is None else decode(raw)
    return value if isinstance(value, str) else None


def _check_text(body: bytes) -> None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(PARSE_ERROR, "The body is not UTF-8 text.") from error


def _is_json(body: bytes) -> bool:
    try:
        decode(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
