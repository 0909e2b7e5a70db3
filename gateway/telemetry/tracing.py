"""Spans of what has ended: calls, runs, starts, restarts and reloads of servers.

A span is made when it is over, so that nothing of it is held while a call is under way. Names are
those of OpenTelemetry's semantic conventions where these have one.
Source: OpenTelemetry semantic conventions, MCP and GenAI.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from gateway.domain.audit import Outcome
from gateway.domain.run import Run, RunStatus
from gateway.relay import trace_context as context
from gateway.relay.ended import Ended
from gateway.relay.places import Places
from gateway.relay.trace_context import TraceContext
from supervisor.events import (
    ChildExited,
    ChildReady,
    Event,
    PinsForgotten,
    Reloaded,
    ReloadRejected,
)

Attributes = Mapping[str, str | bool | int | float | Sequence[str]]
Export = Callable[[ReadableSpan], None]
"""Takes a span without waiting for anything."""

MAX_NAME = 200
"""Characters of a caller's own words: a queue of spans holds on to them."""
_WELL = frozenset({Outcome.OK, Outcome.ASKED, Outcome.CANCELLED})
_MS, _S = 1_000_000, 1_000_000_000
"""Nanoseconds."""


class Tracing:
    """Makes spans and hands them to whoever sends them."""

    def __init__(
        self,
        export: Export,
        resource: Resource,
        version: str,
        places: Places,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._export = export
        self._resource = resource
        self._scope = InstrumentationScope("claude_runner", version)
        self._places = places
        self._now_ns = now_ns
        self._died: dict[str, tuple[ChildExited, int]] = {}
        """By server: how it died, and when."""
        self._ready_took: dict[str, int] = {}

    def call(self, ended: Ended, place: TraceContext) -> None:
        """Take a request of the relay that has ended."""
        method = ended.method[:MAX_NAME]
        target = ended.name[:MAX_NAME] if ended.name and ended.tools is not None else None
        began = int(ended.at * _S) - int(ended.took_s * _S)
        self.span(
            f"{method} {target}" if target else method,
            place,
            began,
            int(ended.at * _S),
            {
                "mcp.method.name": method,
                **_named(method, target),
                **({"claude_runner.server": ended.server} if ended.tools is not None else {}),
                "claude_runner.caller": str(ended.caller.kind),
                "claude_runner.outcome": str(ended.outcome),
                "claude_runner.request.bytes": ended.asked_bytes,
                "claude_runner.response.bytes": ended.answered_bytes,
            },
            failed=None if ended.outcome in _WELL else str(ended.outcome),
            kind=SpanKind.SERVER,
        )

    def invoked(
        self, place: TraceContext, server: str, tool: str, outcome: Outcome, took_s: float
    ) -> None:
        """Take a call by way of `invoke_internal_mcp_tool` that has ended."""
        now = self._now_ns()
        self.span(
            f"tools/call {tool}",
            place,
            now - int(took_s * _S),
            now,
            {
                "mcp.method.name": "tools/call",
                "gen_ai.tool.name": tool,
                "claude_runner.server": server,
                "claude_runner.outcome": str(outcome),
            },
            failed=None if outcome in _WELL else str(outcome),
            kind=SpanKind.SERVER,
        )

    def run_ended(self, run: Run) -> None:
        """Take a run that has ended; its calls are in its trace already."""
        if run.finished_at is None:
            return
        cost = run.cost_micro_usd
        facts = {
            "claude_runner.run.id": run.id,
            "claude_runner.run.status": str(run.status),
            "claude_runner.run.attempt": run.attempt,
            "claude_runner.run.turns": run.turns,
            "claude_runner.run.cost_usd": None if cost is None else cost / 1e6,
            "claude_runner.job.id": run.job_id,
            "claude_runner.webhook.id": run.webhook_id,
            "gen_ai.request.model": run.model,
            "gen_ai.usage.input_tokens": run.input_tokens,
            "gen_ai.usage.output_tokens": run.output_tokens,
        }
        self.span(
            f"run {run.trigger}",
            self._places.of_run(run.id),
            (run.started_at or run.created_at) * _MS,
            run.finished_at * _MS,
            {name: value for name, value in facts.items() if value is not None},
            failed=None if run.status is RunStatus.SUCCEEDED else str(run.status),
        )

    def hear(self, event: Event) -> None:
        """Take what the supervisor tells."""
        match event:
            case ChildReady():
                self._ready(event)
            case ChildExited(wanted=False):
                self._died[event.server] = event, self._now_ns()
            case Reloaded():
                changed = len(event.tools_added + event.tools_removed + event.tools_changed)
                self._server_span(
                    "server reload",
                    event.server,
                    self._ready_took.get(event.server, 0),
                    {
                        "claude_runner.generation": event.generation,
                        "claude_runner.tools.changed": changed,
                    },
                )
            case ReloadRejected():
                self._server_span("server reload", event.server, 0, {}, failed="rejected")
            case PinsForgotten():
                self._died.pop(event.server, None)
                self._ready_took.pop(event.server, None)
            case _:
                return

    def _ready(self, event: ChildReady) -> None:
        took = self._ready_took[event.server] = int(event.took_s * _S)
        facts = {
            "claude_runner.generation": event.generation,
            "claude_runner.tools": event.tools,
            "claude_runner.era": event.era,
        }
        before = self._died.pop(event.server, None)
        if before is None:
            self._server_span("server start", event.server, took, facts)
            return
        died, died_at = before
        # What its processes wrote is not said: it may hold anything.
        facts |= {
            "claude_runner.reason": died.reason,
            "claude_runner.calls.failed": died.calls_failed,
        }
        self._server_span("server restart", event.server, self._now_ns() - died_at, facts)

    def _server_span(
        self, name: str, server: str, took_ns: int, facts: Attributes, *, failed: str | None = None
    ) -> None:
        now = self._now_ns()
        place = context.begin(self._places.share)
        self.span(
            name,
            place,
            now - took_ns,
            now,
            {"claude_runner.server": server, **facts},
            failed=failed,
        )

    def span(
        self,
        name: str,
        place: TraceContext,
        began_ns: int,
        ended_ns: int,
        attributes: Attributes,
        *,
        failed: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        """Hand over one span, unless its trace is not collected; `failed` says in a word why."""
        if not place.sampled:
            return
        self._export(
            ReadableSpan(
                name,
                _span_context(place.trace_id, place.span_id),
                (place.parent_id and _span_context(place.trace_id, place.parent_id)) or None,
                self._resource,
                dict(attributes),
                kind=kind,
                status=Status(StatusCode.ERROR, failed) if failed else Status(StatusCode.UNSET),
                start_time=began_ns,
                end_time=ended_ns,
                instrumentation_scope=self._scope,
            )
        )


def _span_context(trace_id: str, span_id: str) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags)


def _named(method: str, name: str | None) -> dict[str, str]:
    """Return what a request was for: only of what a server has, for the rest may be anything."""
    if name is None:
        return {}
    attribute = {
        "tools/call": "gen_ai.tool.name",
        "prompts/get": "gen_ai.prompt.name",
        "resources/read": "mcp.resource.uri",
    }.get(method)
    return {} if attribute is None else {attribute: name}
