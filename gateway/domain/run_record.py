"""What an attempt at a run had and did: servers, tools, calls, versions. Sizes, never values."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ServerUsed:
    """A server as it was when an attempt began."""

    name: str
    generation: int
    last_generation: int | None
    """When the attempt ended; None: it had not ended, or the server was gone."""
    code: str
    """Digest of its folder, by which its versions are told apart."""
    tool_count: int
    tools: tuple[tuple[str, str], ...]
    """Name and SHA-256 of the definition of each that was offered, as far as they are kept."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One attempt, from the CLI's first message on."""

    run_id: str
    attempt: int
    model: str
    cli_version: str
    sdk_version: str
    gateway_version: str
    tools: tuple[str, ...]
    """The CLI's own tools that were offered."""
    servers: tuple[ServerUsed, ...]
    calls: int | None = None
    """How many tools were called; None: the attempt has not ended by itself."""


class CallOutcome(StrEnum):
    """What became of a call."""

    OK = "ok"
    ERROR = "error"
    """The tool said that it failed, or the CLI did not let it begin."""
    UNANSWERED = "unanswered"
    """The attempt ended first; the call may or may not have taken effect."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call, as the conversation shows it."""

    run_id: str
    attempt: int
    seq: int
    """From 0, in the order in which the model asked."""
    server: str
    """Empty: a tool of the CLI itself."""
    tool: str
    began_at: int
    """Integer milliseconds UTC, when the CLI told of it."""
    took_ms: int
    outcome: CallOutcome
    asked_bytes: int
    """Of the arguments as JSON."""
    answered_bytes: int
