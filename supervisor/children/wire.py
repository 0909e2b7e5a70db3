"""MCP's wire on a pipe: one JSON-RPC object per line, framed with caps before anything is parsed.

Only the envelope is decoded; params, results and errors stay the bytes they were. What is made for
each message is a struct: a frozen dataclass takes six times as long to make. Above: `link`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""A screenshot as base64 takes a few MiB; a longer line is a defect or an attack."""
MAX_ID_DIGITS = 18
"""Ours never get longer, and Python refuses to read numbers of thousands of digits."""


class OversizedFrame(Exception):
    """A line grew past the cap before its end came."""


class _Envelope(msgspec.Struct):
    jsonrpc: str | None = None
    # In msgspec a Raw cannot be optional; unset is its only absence.
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    method: str | None = None
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Fields(msgspec.Struct, rename="camel"):
    meta: dict[str, msgspec.Raw] | None = msgspec.field(default=None, name="_meta")
    progress_token: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    request_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    protocol_version: str | None = None
    name: str | None = None
    uri: str | None = None


class Envelope(msgspec.Struct, frozen=True):
    """The outer fields of a JSON-RPC 2.0 message; absent fields are None."""

    version: str | None
    id: msgspec.Raw | None
    method: str | None
    params: msgspec.Raw | None
    result: msgspec.Raw | None
    error: msgspec.Raw | None


class Fields(msgspec.Struct, frozen=True):
    """The fields of params that routing looks at; absent ones are None."""

    meta: dict[str, msgspec.Raw] | None = None
    progress_token: msgspec.Raw | None = None
    request_id: msgspec.Raw | None = None
    protocol_version: str | None = None
    name: str | None = None
    uri: str | None = None


_LOST = b"\\ufffd"
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\[^u]"
)
"""A surrogate pair, a lone surrogate, or any other escape, so that an escaped backslash counts."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_envelope = msgspec.json.Decoder(_Envelope)
_fields = msgspec.json.Decoder(_Fields)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()

decode = msgspec.json.decode
encode = _encoder.encode


class Splitter:
    """Cuts a byte stream into lines at ``\\n`` only: JSON may hold U+2028 and its like."""

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_bytes
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each complete line without its end.

        Raises:
            OversizedFrame: the unfinished line is longer than the cap.
        """
        *lines, rest = data.split(b"\n")
        if lines:
            self._keep(lines[0])
            lines[0] = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            yield from lines
        self._keep(rest)

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        self._size += len(part)
        if self._size > self._max:
            raise OversizedFrame(f"a line of more than {self._max} bytes")
        self._parts.append(part)


def parse_envelope(line: bytes) -> Envelope | None:
    """Return the outer fields of one message, or None when the line is not a JSON-RPC object."""
    try:
        envelope = _envelope.decode(line)
    except _UNREADABLE:
        return None
    request_id, method = envelope.id, envelope.method
    if method is None and request_id is msgspec.UNSET:
        return None
    params, result, error = envelope.params, envelope.result, envelope.error
    return Envelope(
        envelope.jsonrpc,
        None if request_id is msgspec.UNSET else request_id,
        method,
        None if params is msgspec.UNSET else params,
        None if result is msgspec.UNSET else result,
        None if error is msgspec.UNSET else error,
    )


def mend(line: bytes) -> bytes:
    """Return JSON text with every lone surrogate escape replaced by U+FFFD.

    JavaScript writes them wherever it cuts a string inside an emoji; RFC 8259, section 8.2, leaves
    open what a reader does with them, and ours refuses the whole message.
    """
    return _ESCAPES.sub(lambda match: _LOST if len(match[0]) == len(_LOST) else match[0], line)


def parse_fields(params: bytes | msgspec.Raw | None) -> Fields:
    """Return the routing fields of params; empty when there are none or they have other types."""
    if params is None:
        return Fields()
    try:
        fields = _fields.decode(params)
    except _UNREADABLE:
        return Fields()
    return Fields(
        fields.meta,
        _present(fields.progress_token),
        _present(fields.request_id),
        fields.protocol_version,
        fields.name,
        fields.uri,
    )


def parse_object(raw: bytes | msgspec.Raw | None) -> dict[str, msgspec.Raw]:
    """Return the members of a JSON object with their values undecoded; empty for anything else."""
    if raw is None:
        return {}
    try:
        return _object.decode(raw)
    except _UNREADABLE:
        return {}


def with_member(raw: bytes | msgspec.Raw | None, key: str, value: object) -> bytes:
    """Return the object with one member set, all others byte for byte as they were."""
    members = cast(dict[str, object], parse_object(raw))
    members[key] = value
    return encode(members)


def with_own_token(
    params: bytes | msgspec.Raw | None, token: int
) -> tuple[msgspec.Raw | None, bytes | msgspec.Raw | None]:
    """Return the sender's progress token and the params with `token` in its place.

    None, and the params as they are, when the sender asked for no progress.
    """
    if params is None or b'"progressToken"' not in bytes(params):
        return None, params
    meta = parse_fields(params).meta or {}
    theirs = meta.get("progressToken")
    if theirs is None:
        return None, params
    ours = {**parse_object(encode(meta)), "progressToken": token}
    return theirs, with_member(params, "_meta", ours)


def own_number(raw: msgspec.Raw | None) -> int:
    """Return an id or token that we gave out, or -1 for anything that cannot be one."""
    text = bytes(raw) if raw is not None else b""
    return int(text) if text.isdigit() and len(text) <= MAX_ID_DIGITS else -1


def request_line(request_id: int, method: str, params: bytes | msgspec.Raw | None) -> bytes:
    """Return one framed request."""
    body = b"" if params is None else b',"params":' + one_line(params)
    return b'{"jsonrpc":"2.0","id":%d,"method":%s%s}\n' % (request_id, encode(method), body)


def notification_line(method: str, params: bytes | msgspec.Raw | None) -> bytes:
    """Return one framed notification."""
    body = b"" if params is None else b',"params":' + one_line(params)
    return b'{"jsonrpc":"2.0","method":%s%s}\n' % (encode(method), body)


def result_message(request_id: bytes | msgspec.Raw, result: bytes | msgspec.Raw) -> bytes:
    """Return a response that carries a result; no line end."""
    # What may be megabytes is copied once.
    return b"".join((b'{"jsonrpc":"2.0","id":', request_id, b',"result":', result, b"}"))


def error_message(
    request_id: bytes | msgspec.Raw | None, code: int, message: str, data: object = None
) -> bytes:
    """Return an error response; no line end."""
    error: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return raw_error_message(request_id, encode(error))


def raw_error_message(request_id: bytes | msgspec.Raw | None, error: bytes | msgspec.Raw) -> bytes:
    """Return an error response around an undecoded error object; no line end."""
    return b'{"jsonrpc":"2.0","id":%s,"error":%s}' % (bytes(request_id or b"null"), bytes(error))


def one_line(raw: bytes | msgspec.Raw) -> bytes:
    """Return JSON text without line ends: a caller may pretty-print, a pipe frames by lines."""
    text = bytes(raw)
    if b"\n" in text or b"\r" in text:
        # Inside JSON strings line ends are always escaped, so these are white space.
        return text.replace(b"\r", b" ").replace(b"\n", b" ")
    return text


def params_bytes(params: Mapping[str, object] | None) -> bytes | None:
    """Return params as JSON, or None."""
    return None if params is None else encode(params)


def _present(raw: msgspec.Raw | msgspec.UnsetType) -> msgspec.Raw | None:
    return None if raw is msgspec.UNSET else raw
