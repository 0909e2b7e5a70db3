"""What tools answer about what a run had and did."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.domain.run_record import RunRecord, ServerUsed, ToolCall
from gateway.domain.units import iso

SHOWN_CALLS = 200
"""Of a run's calls in one answer."""
SHOWN_DIGEST = 12
"""Characters of a digest, as elsewhere."""


@dataclass(frozen=True, slots=True)
class ServerUsedView:
    """A server as a run had it."""

    name: str
    generation: int
    last_generation: int | None
    """At the end; another one than before means that it was reloaded or died meanwhile."""
    code: str
    """Digest of its code, as list_server_versions shows it."""
    tools: dict[str, str]
    """Each tool that was offered, with the digest of its definition."""
    more_tools: int
    """How many were offered beside these."""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """What one attempt had, as its CLI said before the model was asked."""

    attempt: int
    model: str
    cli_version: str
    sdk_version: str
    gateway_version: str
    tools: list[str]
    """Of the CLI itself."""
    servers: list[ServerUsedView]
    calls: int | None
    """How many tools the model called; null: the attempt goes on, or its gateway was killed."""


@dataclass(frozen=True, slots=True)
class CallView:
    """One call of a tool."""

    attempt: int
    tool: str
    """``mcp__server__tool``, or a tool of the CLI itself."""
    began_at: str
    took_s: float
    outcome: str
    """ok, error, or unanswered: the attempt ended first."""
    asked_bytes: int
    answered_bytes: int


def view_attempt(record: RunRecord) -> AttemptView:
    """Return an attempt as tools show it."""
    return AttemptView(
        attempt=record.attempt,
        model=record.model,
        cli_version=record.cli_version,
        sdk_version=record.sdk_version,
        gateway_version=record.gateway_version,
        tools=list(record.tools),
        servers=[_view_server(server) for server in record.servers],
        calls=record.calls,
    )


def view_calls(calls: Iterable[ToolCall]) -> list[CallView]:
    """Return calls as tools show them."""
    return [
        CallView(
            attempt=call.attempt,
            tool=f"mcp__{call.server}__{call.tool}" if call.server else call.tool,
            began_at=iso(call.began_at),
            took_s=call.took_ms / 1000,
            outcome=call.outcome,
            asked_bytes=call.asked_bytes,
            answered_bytes=call.answered_bytes,
        )
        for call in calls
    ]


def _view_server(server: ServerUsed) -> ServerUsedView:
    return ServerUsedView(
        name=server.name,
        generation=server.generation,
        last_generation=server.last_generation,
        code=server.code[:SHOWN_DIGEST],
        tools={tool: digest[:SHOWN_DIGEST] for tool, digest in server.tools},
        more_tools=server.tool_count - len(server.tools),
    )
