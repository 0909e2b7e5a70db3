"""What the relay reports of each request at its end, and to whom; it writes nothing down itself."""

import time
from collections.abc import Callable, Sequence

import msgspec

from gateway.auth.caller import Caller
from gateway.domain.audit import Outcome
from gateway.relay.http import Headers
from gateway.relay.request import Posted
from gateway.relay.trace_context import TraceContext
from supervisor.children.lists import Tool

LOOKED_INTO = 256 * 1024
"""Bytes; larger params are not held on to."""


class Ended(msgspec.Struct, frozen=True):
    """A request that has its answer, or will get none."""

    at: float
    """Seconds since the epoch."""
    caller: Caller
    traceparent: str | None
    request_id: str | None
    """The headers of these names, or the place: of a call that waits to be written down little is
    held."""
    method: str
    name: str | None
    """Of the tool, resource or prompt, as it was asked for."""
    params: msgspec.Raw | None
    """None: there are none, or too many."""
    asked_bytes: int
    server: str
    """As the request's address says it; empty: it was for all servers."""
    tools: Sequence[Tool] | None
    """What the server listed; None: the request did not get to a server."""
    outcome: Outcome
    answered_bytes: int = 0
    took_s: float = 0.0
    place: TraceContext | None = None
    """In a trace, which its server was told; None: it was told none."""


Report = Callable[[Ended], None]
"""Is told on the way of every call: it must neither wait nor raise."""


def nobody(ended: Ended) -> None:
    """Take no notice."""


def ended(
    caller: Caller,
    headers: Headers,
    posted: Posted,
    server: str,
    outcome: Outcome,
    *,
    tools: Sequence[Tool] | None = None,
    answered_bytes: int = 0,
    took_s: float = 0.0,
    place: TraceContext | None = None,
) -> Ended:
    """Return the report of a request; without `tools` no child was asked."""
    params = posted.envelope.params
    size = 0 if params is None else len(memoryview(params))
    return Ended(
        time.time(),
        caller,
        headers.get(b"traceparent") if place is None else place.header,
        headers.get(b"x-request-id"),
        posted.method,
        posted.fields.name,
        params if size <= LOOKED_INTO else None,
        size,
        server,
        tools,
        outcome,
        answered_bytes,
        took_s,
        place,
    )
