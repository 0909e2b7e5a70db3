"""The form of a job: from its fields to what is given, and from a job to its fields."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from gateway.budgets.defaults import UnknownPrice
from gateway.dashboard.fields import (
    JsonObject,
    NetworkWords,
    WrongFields,
    check_fields,
    check_fields_and_tools,
    json_text,
    money,
    network_text,
    number,
    split_words,
)
from gateway.domain.job import CatchUp, Job, OnInterrupt, Overlap
from gateway.jobs.errors import InvalidCron, JobRefused, NoSuchJob
from gateway.jobs.given import Given
from gateway.jobs.network_words import InvalidNetwork, show_network
from gateway.jobs.output_schema import InvalidOutputSchema
from gateway.jobs.times import local_times
from gateway.tool_names import InvalidToolName
from gateway.tools.arguments import (
    At,
    BudgetPerDayUsd,
    BudgetUsd,
    CatchUpMax,
    CatchUpRule,
    Concurrency,
    Cron,
    GraceS,
    InterruptRule,
    JitterS,
    MaxTurns,
    Model,
    Name,
    NotifyAfter,
    OnFailure,
    OnSuccess,
    OverlapRule,
    Prompt,
    Retries,
    ServerNames,
    StartWithinS,
    SystemPrompt,
    TimeoutS,
    Timezone,
    ToolNames,
)
from supervisor.errors import InvalidServer

CATCH_UP = (
    (CatchUp.LATEST.value, "latest: the newest missed time, once"),
    (CatchUp.NONE.value, "none: what was missed is not made up for"),
    (CatchUp.ALL.value, "all: every missed time, up to the number below"),
)
OVERLAP = (
    (Overlap.SKIP.value, "skip: it is left out"),
    (Overlap.QUEUE_ONE.value, "queue_one: one waits"),
    (Overlap.ALLOW.value, "allow: it runs beside the other"),
    (Overlap.CANCEL_RUNNING.value, "cancel_running: the other is ended"),
)
ON_INTERRUPT = (
    (OnInterrupt.MARK.value, "mark: nothing is repeated"),
    (OnInterrupt.RETRY.value, "retry: it begins again"),
    (OnInterrupt.RESUME.value, "resume: its conversation goes on"),
)
REFUSALS = (
    InvalidToolName, InvalidServer, InvalidNetwork, InvalidOutputSchema, UnknownPrice, InvalidCron,
    JobRefused, NoSuchJob,
)  # fmt: skip
_FIELDS: Mapping[type[Exception], str] = {
    InvalidToolName: "others",
    InvalidServer: "servers",
    InvalidNetwork: "network",
    InvalidOutputSchema: "output_schema",
    UnknownPrice: "model",
    InvalidCron: "cron",
    NoSuchJob: "on_success",
}


def _or_none(text: object) -> object:
    return text or None


class ScheduleForm(BaseModel):
    """When a job runs."""

    cron: Annotated[Cron | None, BeforeValidator(_or_none)] = None
    at: Annotated[At | None, BeforeValidator(_or_none)] = None
    timezone: Timezone
    jitter_s: JitterS

    def given(self) -> Given:
        """Return it as the desk takes it. Raises WrongFields without a schedule.

        The desk would take that as a change that leaves the schedule alone.
        """
        if self.cron is None and self.at is None:
            raise WrongFields({"cron": "Please fill this in, or the time of one run."})
        return Given(**{name: getattr(self, name) for name in type(self).model_fields})


class JobForm(ScheduleForm):
    """What is typed into the form of a job."""

    name: Name
    prompt: Prompt
    tools: ToolNames
    servers: Annotated[ServerNames, BeforeValidator(split_words)]
    catch_up: CatchUpRule
    catch_up_max: CatchUpMax
    grace_s: GraceS
    overlap: OverlapRule
    start_within_s: StartWithinS
    retries: Retries
    concurrency: Concurrency
    on_interrupt: InterruptRule
    on_success: OnSuccess
    on_failure: OnFailure
    notify_after: Annotated[NotifyAfter | None, BeforeValidator(_or_none)] = None
    model: Model
    system_prompt: SystemPrompt
    max_turns: MaxTurns
    timeout_s: TimeoutS
    budget_usd: BudgetUsd
    budget_per_day_usd: BudgetPerDayUsd
    network: NetworkWords
    output_schema: JsonObject


def read_job(values: Mapping[str, str], tools: Sequence[str]) -> Given:
    """Return what the form says. Raises WrongFields."""
    return check_fields_and_tools(JobForm, values, tools).given()


def read_schedule(values: Mapping[str, str]) -> Given:
    """Return the schedule that the form says. Raises WrongFields."""
    return check_fields(ScheduleForm, values).given()


def wrong_field(error: Exception) -> WrongFields:
    """Return one of `REFUSALS` as what is wrong at its field."""
    name = error.argument if isinstance(error, JobRefused) else _FIELDS[type(error)]
    return WrongFields({name: str(error)})


def values_of(job: Job) -> dict[str, Any]:
    """Return the fields of the form for a job as it is."""
    return {
        "name": job.name,
        "prompt": job.prompt,
        "cron": job.cron or "",
        "at": "" if job.at is None else local_times([job.at], job.timezone)[0],
        "timezone": job.timezone,
        "jitter_s": number(job.jitter_s),
        "servers": " ".join(job.servers),
        "catch_up": job.catch_up.value,
        "catch_up_max": job.catch_up_max,
        "grace_s": number(job.grace_s),
        "overlap": job.overlap.value,
        "start_within_s": number(job.start_within_s or 0),
        "retries": job.retries,
        "concurrency": job.concurrency or 0,
        "on_interrupt": job.on_interrupt.value,
        "on_success": job.on_success or "",
        "on_failure": job.on_failure or "",
        "notify_after": "" if job.notify_after is None else job.notify_after,
        "model": job.model or "",
        "system_prompt": job.system_prompt or "",
        "max_turns": job.max_turns or 0,
        "timeout_s": number(job.timeout_s),
        "budget_usd": money(job.budget_micro_usd),
        "budget_per_day_usd": money(job.day_budget_micro_usd),
        "network": network_text(show_network(job.network)),
        "output_schema": json_text(job.output_schema),
    }
