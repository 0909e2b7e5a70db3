"""Gives each call its place in a trace before it is made. Knows nothing of who collects traces."""

from dataclasses import dataclass

import msgspec

from gateway.auth.caller import Caller, CallerKind
from gateway.relay import trace_context as context
from gateway.relay.http import Headers
from gateway.relay.request import Posted
from gateway.relay.trace_context import TraceContext


@dataclass(frozen=True, slots=True)
class Places:
    """Finds what led to a call: its own `_meta`, its header, the run that makes it, or nothing."""

    share: float
    """Of the traces that begin here: how many are collected, from 0 to 1."""

    def of_request(self, caller: Caller, headers: Headers, posted: Posted) -> TraceContext:
        """Return the place of a request that came over HTTP."""
        told = context.in_meta(posted.fields.meta) or headers.get(b"traceparent")
        return self._place(caller, told)

    def of_caller(self, caller: Caller | None) -> TraceContext:
        """Return the place of a call by way of the management tools."""
        return self._place(caller, None)

    def of_run(self, run_id: str) -> TraceContext:
        """Return the place of a run."""
        return context.of_run(run_id, self.share)

    def marked(
        self, params: bytes | msgspec.Raw | None, place: TraceContext, headers: Headers
    ) -> bytes:
        """Return a request's params so that its server knows the place of the call."""
        return context.with_context(params, place, headers.get(b"tracestate"))

    def _place(self, caller: Caller | None, told: str | None) -> TraceContext:
        before = context.read(told)
        if before is None and caller is not None and caller.kind is CallerKind.RUN:
            before = self.of_run(caller.id)
        return context.begin(self.share) if before is None else before.child()
