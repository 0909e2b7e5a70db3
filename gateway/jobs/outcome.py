"""How a run ended: from the CLI's result, or its absence, to what the store keeps. Pure."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.budgets.words import dollars
from gateway.domain.budget import Limit
from gateway.domain.run import Run, RunResult, RunStatus
from gateway.domain.run_file import LeftFiles
from gateway.jobs.output_schema import misfit

if TYPE_CHECKING:
    # Only for its name: the Agent SDK takes a second to import and a run is far away.
    from claude_agent_sdk import ResultMessage

    # It imports the SDK.
    from gateway.jobs.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run is ended from outside."""

    status: RunStatus
    reason: str
    limit: Limit | None = None
    """Which one was reached, if that is why."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended, and what decides whether another one follows."""

    result: RunResult
    unreached: bool = False
    """The model could not be reached or was overloaded, and no tool had been called."""
    files: LeftFiles | None = None
    """What the attempt left in its work folder, copied and not stored yet; None: nothing is."""


def conclude(
    run: Run,
    transcript: "Transcript",
    *,
    stop: Stop | None,
    failure: str | None,
    counted_micro_usd: int | None,
    refused_hosts: tuple[str, ...],
) -> RunResult:
    """Return the result of an attempt.

    `failure`: the sentence of the error that ended it. `counted_micro_usd`: what the forwarder
    counted, which no program in the sandbox can change; None where a model has no known price.
    """
    message = transcript.result
    status, error, limit = _verdict(run, message, stop, failure)
    tokens = transcript.tokens
    structured: str | None = None
    if status is RunStatus.SUCCEEDED and run.output_schema is not None:
        structured, error = _structured(run.output_schema, message)
        status = RunStatus.FAILED if error else status
    return RunResult(
        status=status,
        output=(message.result if message else None) or transcript.last_text,
        structured=structured,
        error=error,
        cost_micro_usd=counted_micro_usd,
        input_tokens=tokens[0] if tokens else None,
        output_tokens=tokens[1] if tokens else None,
        turns=message.num_turns if message else None,
        limit_reached=limit,
        session_id=message.session_id if message else transcript.session_id or run.session_id,
        refused_hosts=refused_hosts,
    )


def _structured(schema: str, message: "ResultMessage | None") -> tuple[str | None, str | None]:
    """Return the structured output as JSON text, or why there is none in one sentence."""
    value: object = message.structured_output if message else None
    if problem := misfit(schema, value):
        return None, f"The structured output does not fit output_schema: {problem.rstrip('.')}."
    return json.dumps(value, ensure_ascii=False), None


def _verdict(
    run: Run, message: "ResultMessage | None", stop: Stop | None, failure: str | None
) -> tuple[RunStatus, str | None, Limit | None]:
    if message is not None and message.subtype == "success" and not message.is_error:
        # Also when a stop was asked for: the work was done before it took effect.
        return RunStatus.SUCCEEDED, None, None
    if stop is not None:
        return stop.status, stop.reason, stop.limit
    if failure is not None:
        return RunStatus.FAILED, failure, None
    if message is None:
        return RunStatus.FAILED, "The Claude CLI ended without a result.", None
    return _limit_or_failure(run, message)


def _limit_or_failure(run: Run, message: "ResultMessage") -> tuple[RunStatus, str, Limit | None]:
    if message.subtype == "error_max_turns":
        sentence = f"Stopped at the limit of {run.max_turns} turns."
        return RunStatus.BUDGET, sentence, Limit.RUN_TURNS
    if message.subtype == "error_max_budget_usd":
        sentence = f"Stopped at the budget of {dollars(run.budget_micro_usd or 0)}."
        return RunStatus.BUDGET, sentence, Limit.RUN_MONEY
    detail = message.result or "; ".join(message.errors or []) or message.subtype
    return RunStatus.FAILED, f"The model could not answer: {detail.rstrip('.')}.", None
