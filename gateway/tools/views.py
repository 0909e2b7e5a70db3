"""What tools answer about runs: times as ISO text in UTC, money in dollars."""

from dataclasses import dataclass

from gateway.domain.run import Run
from gateway.domain.units import dollars, iso


@dataclass(frozen=True, slots=True)
class Deleted:
    """Something that is no more."""

    deleted: str
    message: str


@dataclass(frozen=True, slots=True)
class RunView:
    """One execution of a prompt."""

    id: str
    status: str
    trigger: str
    job_id: str | None
    webhook_id: str | None
    chained_from: str | None
    """The run whose end started this one."""
    scheduled_for: str | None
    scheduled_until: str | None
    """A skipped row that stands for several instants: the last of them."""
    created_at: str
    not_before: str | None
    """When it begins again, if it waits for that."""
    attempt: int
    started_at: str | None
    finished_at: str | None
    duration_s: float | None
    """Of all its attempts together, without the pauses between them."""
    error: str | None
    limit_reached: str | None
    """Which limit ended it or kept it from starting: run_money, run_turns, run_time, job_day,
    webhook_day or all_day."""
    budget_usd: float | None
    cost_usd: float | None
    """None: it asked no model yet, or one whose price is not known."""
    input_tokens: int | None
    output_tokens: int | None
    turns: int | None


@dataclass(frozen=True, slots=True)
class RunList:
    """Runs, newest first."""

    runs: list[RunView]
    next: str | None
    """Give it as `after` for older ones; None: these were the last."""


@dataclass(frozen=True, slots=True)
class Triggered:
    """A run that was queued; `get_run` tells how it goes."""

    run_id: str
    status: str
    message: str


def iso_or_none(at: int | None) -> str | None:
    """Return integer milliseconds UTC as ISO 8601 text, None for None."""
    return None if at is None else iso(at)


def view_run(run: Run) -> RunView:
    """Return a run as tools list it."""
    return RunView(
        id=run.id,
        status=run.status,
        trigger=run.trigger,
        job_id=run.job_id,
        webhook_id=run.webhook_id,
        chained_from=run.chained_from,
        scheduled_for=iso_or_none(run.scheduled_for),
        scheduled_until=iso_or_none(run.scheduled_until),
        created_at=iso(run.created_at),
        not_before=iso_or_none(run.not_before),
        attempt=run.attempt,
        started_at=iso_or_none(run.started_at),
        finished_at=iso_or_none(run.finished_at),
        duration_s=run.took_s,
        error=run.error,
        limit_reached=run.limit_reached,
        budget_usd=dollars(run.budget_micro_usd),
        cost_usd=dollars(run.cost_micro_usd),
        input_tokens=run.input_tokens,
        output_tokens=run.output_tokens,
        turns=run.turns,
    )
