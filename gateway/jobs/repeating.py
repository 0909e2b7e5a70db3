"""Whether a run begins again after an attempt, and when. Pure.

A run costs money and has side effects, so it is repeated only where its job says so: after the
model could not be reached, as long as no tool had been called, and after the gateway had ended.
"""

from dataclasses import replace

from gateway.domain.job import OnInterrupt
from gateway.domain.run import Run, RunResult, RunStatus
from gateway.jobs.outcome import Ended

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 15 * 60.0
MAX_INTERRUPTED = 5
"""Attempts of a run that gateways interrupted one after the other; it may be what ends them."""


def pause_s(run: Run, ended: Ended) -> float | None:
    """Return after how many seconds a run begins again; None when this was its end."""
    if ended.result.status is RunStatus.INTERRUPTED:
        wanted = run.on_interrupt is not OnInterrupt.MARK and run.attempt < MAX_INTERRUPTED
        # At once after the first: usually somebody restarted the gateway.
        return (0.0 if run.attempt == 1 else _growing(run.attempt - 1)) if wanted else None
    if ended.unreached and run.attempt <= run.retries:
        return _growing(run.attempt)
    return None


def is_resumed(run: Run, result: RunResult) -> bool:
    """Tell whether the next attempt goes on with the conversation of this one."""
    return (
        run.on_interrupt is OnInterrupt.RESUME
        and result.status is RunStatus.INTERRUPTED
        and result.session_id is not None
    )


def with_earlier(run: Run, result: RunResult) -> RunResult:
    """Return the result of an attempt with what earlier attempts of the run used."""
    return replace(
        result,
        cost_micro_usd=_sum(run.cost_micro_usd, result.cost_micro_usd),
        input_tokens=_sum(run.input_tokens, result.input_tokens),
        output_tokens=_sum(run.output_tokens, result.output_tokens),
        turns=_sum(run.turns, result.turns),
    )


def _growing(number: int) -> float:
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (number - 1))


def _sum(earlier: int | None, now: int | None) -> int | None:
    return now if earlier is None else earlier + (now or 0)
