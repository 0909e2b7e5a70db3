"""What the page of a run tells besides its conversation, as text. Pure."""

import json
from dataclasses import dataclass

from gateway.dashboard.views import Tone
from gateway.domain.run_record import CallOutcome
from gateway.domain.units import counted
from gateway.tools.run_file_views import RunFileList, RunFileView
from gateway.tools.run_record_views import AttemptView, CallView, ServerUsedView
from gateway.tools.run_views import ModelCostView, RunDetail

Facts = tuple[tuple[str, str], ...]

_TONES = {CallOutcome.OK: Tone.GOOD, CallOutcome.ERROR: Tone.BAD, CallOutcome.UNANSWERED: Tone.BUSY}


@dataclass(frozen=True, slots=True)
class ModelRow:
    """What one model cost."""

    model: str
    cost: str
    counts: Facts


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call of a tool."""

    tool: str
    outcome: str
    tone: Tone
    took_ms: float
    asked_bytes: int
    answered_bytes: int
    attempt: int


@dataclass(frozen=True, slots=True)
class ServerLine:
    """A server as an attempt had it, folded."""

    name: str
    title: str
    tools: str


@dataclass(frozen=True, slots=True)
class AttemptPart:
    """What one attempt had."""

    number: int
    facts: Facts
    servers: tuple[ServerLine, ...]


@dataclass(frozen=True, slots=True)
class Sections:
    """All of it; what is empty is not shown."""

    structured: str
    files: tuple[RunFileView, ...]
    more_files: str
    money: Facts
    models: tuple[ModelRow, ...]
    calls: tuple[CallRow, ...]
    more_calls: int
    attempts: tuple[AttemptPart, ...]


def sections_of(detail: RunDetail) -> Sections:
    """Return what a page shows of a run."""
    called = sum(attempt.calls or 0 for attempt in detail.attempts)
    return Sections(
        structured=_structured(detail),
        files=tuple(detail.files.files),
        more_files=_more_files(detail.files),
        money=_money(detail),
        models=tuple(_model(each) for each in detail.models),
        calls=tuple(_call(each) for each in detail.calls),
        more_calls=max(0, called - len(detail.calls)),
        attempts=tuple(_attempt(each) for each in detail.attempts),
    )


def _structured(detail: RunDetail) -> str:
    if detail.structured is None:
        return ""
    return json.dumps(detail.structured, indent=2, ensure_ascii=False)


def _more_files(files: RunFileList) -> str:
    if files.next_offset is not None:
        return "There are more; `claude-runner runs files` lists all."
    if files.unlisted:
        return f"{files.unlisted:,} more are not named, because there were too many."
    return "There may be more: the folder held too much to look at." if files.may_be_more else ""


def _money(detail: RunDetail) -> Facts:
    run = detail.run
    if run.cost_usd is None and not detail.models:
        return ()
    pairs = (
        ("Cost", _dollars(run.cost_usd)),
        ("Budget", "none" if run.budget_usd is None else _dollars(run.budget_usd)),
        ("Limit reached", run.limit_reached or ""),
    )
    return tuple((name, text) for name, text in pairs if text)


def _model(cost: ModelCostView) -> ModelRow:
    counts = {
        "Requests": cost.requests,
        "Input": cost.input_tokens,
        "Output": cost.output_tokens,
        "Cache read": cost.cache_read_tokens,
        "Cache written": cost.cache_write_tokens,
    }
    shown = tuple((name, f"{count:,}") for name, count in counts.items())
    return ModelRow(cost.model, _dollars(cost.cost_usd), shown)


def _call(call: CallView) -> CallRow:
    return CallRow(
        tool=call.tool,
        outcome=call.outcome,
        tone=_TONES[CallOutcome(call.outcome)],
        took_ms=call.took_s * 1000,
        asked_bytes=call.asked_bytes,
        answered_bytes=call.answered_bytes,
        attempt=call.attempt,
    )


def _attempt(attempt: AttemptView) -> AttemptPart:
    facts = (
        ("Model", attempt.model),
        ("Claude CLI", attempt.cli_version),
        ("Agent SDK", attempt.sdk_version),
        ("Gateway", attempt.gateway_version),
        ("The CLI's own tools", ", ".join(attempt.tools) or "none"),
    )
    return AttemptPart(attempt.attempt, facts, tuple(_server(each) for each in attempt.servers))


def _server(server: ServerUsedView) -> ServerLine:
    last = server.last_generation
    reloaded = "" if last in (None, server.generation) else f", {last} at the end"
    count = len(server.tools) + server.more_tools
    title = (
        f"{server.name}: generation {server.generation}{reloaded}, code {server.code}, "
        f"{counted(count, 'tool')}"
    )
    lines = [f"{digest}  {tool}" for tool, digest in server.tools.items()]
    if server.more_tools:
        lines.append(f"and {server.more_tools} more")
    return ServerLine(server.name, title, "\n".join(lines))


def _dollars(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.4f}"
