"""Budgets of runs and of days, and what is spent of them. Money is integer micro-dollars."""

from dataclasses import dataclass
from enum import StrEnum


class Limit(StrEnum):
    """Which limit ended a run, or kept it from starting."""

    RUN_MONEY = "run_money"
    RUN_TURNS = "run_turns"
    RUN_TIME = "run_time"
    JOB_DAY = "job_day"
    """What the job may cost in a day."""
    WEBHOOK_DAY = "webhook_day"
    """What the webhook may cost in a day."""
    ALL_DAY = "all_day"
    """What all runs together may cost in a day."""


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day in the gateway's zone."""

    name: str
    """Such as 2026-11-22."""
    ends_at: int
    """Milliseconds UTC."""


@dataclass(frozen=True, slots=True)
class DayLimits:
    """The budgets of a day that a run must fit into to start; those of jobs stand with the jobs."""

    day: str
    all_micro_usd: int | None
    """For all runs together; None: no limit."""


@dataclass(frozen=True, slots=True)
class DayBudget:
    """What runs may cost in a day, together with what they did."""

    day: Day
    limit_micro_usd: int
    spent_micro_usd: int
    job_id: str | None = None
    webhook_id: str | None = None
    """Neither of the two: all runs."""

    @property
    def spent(self) -> bool:
        """Tell whether nothing is left."""
        return self.spent_micro_usd >= self.limit_micro_usd

    @property
    def limit(self) -> Limit:
        """Which limit it is."""
        if self.webhook_id is not None:
            return Limit.WEBHOOK_DAY
        return Limit.ALL_DAY if self.job_id is None else Limit.JOB_DAY

    @property
    def owner(self) -> str:
        """Id of the job or webhook; empty for all runs."""
        return self.job_id or self.webhook_id or ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What was asked of a model, and what that cost."""

    requests: int = 0
    input_tokens: int = 0
    """Neither read from the prompt cache nor written to it."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_micro_usd: int = 0
    """Of the requests whose price is known."""
    unpriced: int = 0
    """Requests whose price is not known."""


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What a run, or the runs of a day, used of one model."""

    model: str
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Charge:
    """One answer of the Messages API, to be written down."""

    run_id: str
    attempt: int
    day: str
    owner: str
    """Id of the run's job or webhook; empty for neither."""
    model: str
    tokens: Tokens


class CostGroup(StrEnum):
    """By what costs are added up."""

    DAY = "day"
    JOB = "job"
    """Of webhooks too; runs of neither are one line with an empty name."""
    WEBHOOK = "webhook"
    """Of webhooks alone."""
    MODEL = "model"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class CostLine:
    """What was used of one day, job or model."""

    name: str
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class ServerCost:
    """What the runs cost that called tools of a server; a run counts whole for each of its own."""

    server: str
    runs: int
    calls: int
    cost_micro_usd: int
    """Of the runs whose cost is known."""
    unpriced: int
    """Runs whose cost is not known."""
