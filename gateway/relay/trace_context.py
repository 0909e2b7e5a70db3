"""Where a call stands in a trace: W3C's trace context in HTTP headers and in MCP's `_meta`. Pure.

Source: W3C Trace Context, section 3.2; MCP SEP-414 for the members of `_meta`.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping

import msgspec

from supervisor.children.wire import decode, encode, parse_object

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
META = "_meta"
_HEADER = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NOTHING = re.compile(r"0+")
_SAMPLED = 1
_SHARE_BITS = 56
"""Of a trace id; the specification promises that these are random."""


class TraceContext(msgspec.Struct, frozen=True):
    """One span's place: its trace, itself, and the span that led to it."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    parent_id: str | None = None
    sampled: bool = True

    @property
    def header(self) -> str:
        """Return it as the header `traceparent` has it."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def child(self) -> "TraceContext":
        """Return the place of a span that this one leads to."""
        return TraceContext(self.trace_id, secrets.token_hex(8), self.span_id, self.sampled)


def read(header: str | None) -> TraceContext | None:
    """Return the place that a `traceparent` names; None for none, and for one that is malformed."""
    found = _HEADER.fullmatch(header or "")
    if found is None or _NOTHING.fullmatch(found[1]) or _NOTHING.fullmatch(found[2]):
        return None
    return TraceContext(found[1], found[2], None, bool(int(found[3], 16) & _SAMPLED))


def begin(share: float) -> TraceContext:
    """Return the first place of a new trace, sampled in a `share` of all cases."""
    trace_id = secrets.token_hex(16)
    return TraceContext(trace_id, secrets.token_hex(8), None, is_sampled(trace_id, share))


def of_run(run_id: str, share: float) -> TraceContext:
    """Return the place of a run: always the same, so that whatever it does finds its trace."""
    digest = hashlib.sha256(run_id.encode()).hexdigest()
    trace_id = digest[:32]
    return TraceContext(trace_id, digest[32:48], None, is_sampled(trace_id, share))


def is_sampled(trace_id: str, share: float) -> bool:
    """True for this share of all traces, whoever decides."""
    random = int(trace_id, 16) & ((1 << _SHARE_BITS) - 1)
    return random < share * (1 << _SHARE_BITS)


def in_meta(meta: Mapping[str, msgspec.Raw] | None) -> str | None:
    """Return the `traceparent` in a request's `_meta`."""
    raw = None if meta is None else meta.get(TRACEPARENT)
    value: object = None if raw is None else decode(raw)
    return value if isinstance(value, str) else None


def with_context(
    params: bytes | msgspec.Raw | None, place: TraceContext, tracestate: str | None
) -> bytes:
    """Return params whose `_meta` names this place; all else in them stays the bytes it was."""
    members = parse_object(params)
    meta = parse_object(members.get(META))
    meta[TRACEPARENT] = msgspec.Raw(encode(place.header))
    if tracestate is not None and TRACESTATE not in meta:
        meta[TRACESTATE] = msgspec.Raw(encode(tracestate))
    return encode({**members, META: meta})
