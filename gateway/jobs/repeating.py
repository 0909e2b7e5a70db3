"""Whether a run begins again after an attempt, when, and for how long. Pure.

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


def time_left_s(run: Run) -> float:
    """Return how long a run may still work after its earlier attempts."""
    return max(0.0, run.timeout_s - run.worked_ms / 1000)


def pause_s(run: Run, ended: Ended) -> float | None:
    """Return after how many seconds a run begins again; None when this was its end."""
    result = ended.result
    if result.status is RunStatus.INTERRUPTED:
        # At once after the first: usually somebody restarted the gateway.
        pause = 0.0 if run.attempt == 1 else _growing(run.attempt - 1)
        return pause if _goes_on(run, result) else None
    if ended.unreached and run.attempt <= run.retries and _has_time(run, result):
        return _growing(run.attempt)
    return None


def is_resumed(run: Run, result: RunResult) -> bool:
    """Tell whether the next attempt goes on with the conversation of this one."""
    return (
        run.on_interrupt is OnInterrupt.RESUME
        and result.status is RunStatus.INTERRUPTED
        and result.session_id is not None
        and _goes_on(run, result)
    )


def with_earlier(run: Run, result: RunResult) -> RunResult:
    """Return the result of an attempt with what earlier attempts of the run used."""
    return replace(
        result,
        cost_micro_usd=_sum(run.cost_micro_usd, result.cost_micro_usd),
        input_tokens=_sum(run.input_tokens, result.input_tokens),
        output_tokens=_sum(run.output_tokens, result.output_tokens),
        turns=_sum(run.turns, result.turns),
        worked_ms=run.worked_ms + result.worked_ms,
    )


def _goes_on(run: Run, result: RunResult) -> bool:
    wanted = run.on_interrupt is not OnInterrupt.MARK and run.attempt < MAX_INTERRUPTED
    return wanted and _has_time(run, result)


def _has_time(run: Run, result: RunResult) -> bool:
    return time_left_s(run) * 1000 > result.worked_ms


def _growing(number: int) -> float:
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (number - 1))


def _sum(earlier: int | None, now: int | None) -> int | None:
    return now if earlier is None else earlier + (now or 0)
