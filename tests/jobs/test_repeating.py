"""Whether a run begins again."""

from typing import Any

import pytest

from gateway.domain.job import OnInterrupt
from gateway.domain.run import RunResult, RunStatus
from gateway.jobs.limits import ServerLimits
from gateway.jobs.outcome import Ended
from gateway.jobs.repeating import MAX_INTERRUPTED, is_resumed, pause_s, time_left_s, with_earlier
from tests.jobs.parts import a_run


def ended(status: RunStatus, *, unreached: bool = False, **changes: Any) -> Ended:
    """Return the end of an attempt."""
    return Ended(RunResult(status, **changes), unreached)


@pytest.mark.parametrize("status", [each for each in RunStatus if each.final])
def test_no_run_is_repeated_unless_its_job_says_so(status: RunStatus):
    """DESIGN 12: at most once; it costs money and has side effects."""
    assert pause_s(a_run(attempt=1), ended(status, unreached=True)) is None


def test_an_unreached_model_is_asked_again_after_growing_pauses():
    """Issue 7, 1: retries on transport or overload errors, as many as the job gives."""
    unreached = ended(RunStatus.FAILED, unreached=True)
    pauses = [pause_s(a_run(retries=3, attempt=attempt), unreached) for attempt in range(1, 5)]
    assert pauses == [30.0, 60.0, 120.0, None]


@pytest.mark.parametrize(
    "status", [each for each in RunStatus if each.final and each is not RunStatus.INTERRUPTED]
)
def test_any_other_failure_is_not_repeated(status: RunStatus):
    """Issue 7, 1: retries only on transport or overload errors."""
    policy = {"retries": 3, "on_interrupt": OnInterrupt.RETRY}
    assert pause_s(a_run(attempt=1, **policy), ended(status)) is None


def test_an_interrupted_run_is_repeated_at_once_and_then_ever_later():
    """Issue 7, 2: a run that ends its gateway does not end it for ever."""
    interrupted = ended(RunStatus.INTERRUPTED)
    pauses = [
        pause_s(a_run(on_interrupt=OnInterrupt.RETRY, attempt=attempt), interrupted)
        for attempt in range(1, MAX_INTERRUPTED + 1)
    ]
    assert pauses == [0.0, 30.0, 60.0, 120.0, None]


def test_a_conversation_goes_on_only_if_there_is_one():
    """Issue 7, 2 (resume): a run that had not begun to talk begins anew."""
    run = a_run(on_interrupt=OnInterrupt.RESUME)
    assert is_resumed(run, RunResult(RunStatus.INTERRUPTED, session_id="s"))
    last = a_run(on_interrupt=OnInterrupt.RESUME, attempt=MAX_INTERRUPTED)
    assert not is_resumed(last, RunResult(RunStatus.INTERRUPTED, session_id="s"))
    assert not is_resumed(run, RunResult(RunStatus.INTERRUPTED))
    assert not is_resumed(run, RunResult(RunStatus.SUCCEEDED, session_id="s"))
    assert not is_resumed(a_run(), RunResult(RunStatus.INTERRUPTED, session_id="s"))


def test_what_earlier_attempts_used_is_added():
    """Ours: a run's cost is that of all its attempts."""
    earlier = a_run(cost_micro_usd=5, input_tokens=1, turns=2, worked_ms=4)
    result = RunResult(RunStatus.SUCCEEDED, cost_micro_usd=10, output_tokens=3, worked_ms=6)
    assert with_earlier(earlier, result) == RunResult(
        RunStatus.SUCCEEDED,
        cost_micro_usd=15,
        input_tokens=1,
        output_tokens=3,
        turns=2,
        worked_ms=10,
    )


def test_a_run_without_time_left_does_not_begin_again():
    """Ours: the time limit is that of all attempts together, as money and turns are."""
    policy = {"retries": 3, "on_interrupt": OnInterrupt.RESUME, "timeout_s": 10.0}
    run = a_run(attempt=1, worked_ms=4_000, **policy)
    assert time_left_s(run) == 6.0
    interrupted = ended(RunStatus.INTERRUPTED, worked_ms=5_999, session_id="s")
    assert pause_s(run, interrupted) == 0.0
    assert is_resumed(run, interrupted.result)
    over = ended(RunStatus.INTERRUPTED, worked_ms=6_000, session_id="s")
    assert pause_s(run, over) is None
    assert not is_resumed(run, over.result)
    assert pause_s(run, ended(RunStatus.FAILED, unreached=True, worked_ms=6_000)) is None
    assert time_left_s(a_run(worked_ms=4_000, timeout_s=3.0)) == 0.0


def test_a_server_takes_as_many_runs_as_its_limit_says():
    """Issue 7, 1 (concurrency per server): named limits go before the one for all."""
    limits = ServerLimits(2, {"browser": 1})
    live = [("browser", "email"), ("email",)]
    assert not limits.allow(("browser",), live)
    assert not limits.allow(("email", "files"), live)
    assert limits.allow(("files",), live)
    assert limits.allow((), live)
    assert ServerLimits().allow(("email",), live * 50)
