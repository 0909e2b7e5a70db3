"""What the relay reports of each request at its end, and to whom; it writes nothing down itself."""

import time
from collections.abc import Callable, Sequence

import msgspec

from gateway.auth.caller import Caller
from gateway.domain.audit import Outcome
from gateway.relay.http import Headers
from gateway.relay.request import Posted
from supervisor.children.lists import Tool
from supervisor.children.wire import Fields

LOOKED_INTO = 256 * 1024
"""Bytes; larger params are not held on to."""


class Ended(msgspec.Struct, frozen=True):
    """A request that has its answer, or will get none."""

    at: float
    """Seconds since the epoch."""
    caller: Caller
    headers: Headers
    method: str
    fields: Fields
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
) -> Ended:
    """Return the report of a request; without `tools` no child was asked."""
    params = posted.envelope.params
    size = 0 if params is None else len(memoryview(params))
    return Ended(
        time.time(),
        caller,
        headers,
        posted.method,
        posted.fields,
        params if size <= LOOKED_INTO else None,
        size,
        server,
        tools,
        outcome,
        answered_bytes,
        took_s,
    )
