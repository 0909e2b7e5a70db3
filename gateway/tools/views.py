"""What tools answer about jobs and runs: times as ISO text in UTC, money in dollars."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from gateway.domain.job import Job
from gateway.domain.run import Run
from gateway.tools.run_network import show_network

T = TypeVar("T")

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class JobView:
    """A stored job."""

    id: str
    name: str
    cron: str | None
    at: str | None
    timezone: str
    prompt: str
    tools: list[str]
    servers: list[str]
    enabled: bool
    model: str | None
    system_prompt: str | None
    max_turns: int | None
    timeout_s: float
    budget_usd: float | None
    network: str | list[str]
    paused_until: str | None
    jitter_s: float
    catch_up: str
    catch_up_max: int
    grace_s: float
    overlap: str
    start_within_s: float | None
    retries: int
    concurrency: int | None
    on_interrupt: str
    next_run_at: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class JobList:
    """Every job, oldest first."""

    jobs: list[JobView]


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """A job, the next times at which it runs, and what is doubtful about its tools."""

    job: JobView
    next_runs: list[str]
    """In the job's zone, with its offset from UTC."""
    timezone_note: str
    tool_warnings: list[str]


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
    error: str | None
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    turns: int | None


@dataclass(frozen=True, slots=True)
class RunList:
    """Runs, newest first."""

    runs: list[RunView]


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with what it was asked and what it answered."""

    run: RunView
    prompt: str
    output: str | None
    model: str | None
    tools: list[str]
    servers: list[str]
    network: str | list[str]
    refused_hosts: list[str]
    """The last ones that it asked for and its network does not grant."""
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Triggered:
    """A run that was queued; `get_run` tells how it goes."""

    run_id: str
    status: str
    message: str


def iso(at: int) -> str:
    """Return integer milliseconds UTC as ISO 8601 text."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def iso_or_none(at: int | None) -> str | None:
    """Return integer milliseconds UTC as ISO 8601 text, None for None."""
    return None if at is None else iso(at)


def dollars(micro: int | None) -> float | None:
    """Return micro-dollars as dollars, None for None."""
    return None if micro is None else micro / MICRO


def micro_dollars(usd: float | None) -> int | None:
    """Return dollars as micro-dollars, None for None."""
    return None if usd is None else round(usd * MICRO)


def changed(old: T | None, new: T | None) -> T | None:
    """Return what an optional field becomes: None keeps it, an empty text or 0 clears it."""
    return old if new is None else new or None


def view_job(job: Job) -> JobView:
    """Return a job as tools show it."""
    return JobView(
        id=job.id,
        name=job.name,
        cron=job.cron,
        at=iso_or_none(job.at),
        timezone=job.timezone,
        prompt=job.prompt,
        tools=list(job.tools),
        servers=list(job.servers),
        enabled=job.enabled,
        model=job.model,
        system_prompt=job.system_prompt,
        max_turns=job.max_turns,
        timeout_s=job.timeout_s,
        budget_usd=dollars(job.budget_micro_usd),
        network=show_network(job.network),
        paused_until=iso_or_none(job.paused_until),
        jitter_s=job.jitter_s,
        catch_up=job.catch_up,
        catch_up_max=job.catch_up_max,
        grace_s=job.grace_s,
        overlap=job.overlap,
        start_within_s=job.start_within_s,
        retries=job.retries,
        concurrency=job.concurrency,
        on_interrupt=job.on_interrupt,
        next_run_at=iso_or_none(job.next_fire_at),
        created_at=iso(job.created_at),
        updated_at=iso(job.updated_at),
    )


def view_run(run: Run) -> RunView:
    """Return a run as tools list it."""
    timed = run.started_at is not None and run.finished_at is not None
    return RunView(
        id=run.id,
        status=run.status,
        trigger=run.trigger,
        job_id=run.job_id,
        webhook_id=run.webhook_id,
        scheduled_for=iso_or_none(run.scheduled_for),
        scheduled_until=iso_or_none(run.scheduled_until),
        created_at=iso(run.created_at),
        not_before=iso_or_none(run.not_before),
        attempt=run.attempt,
        started_at=iso_or_none(run.started_at),
        finished_at=iso_or_none(run.finished_at),
        duration_s=((run.finished_at or 0) - (run.started_at or 0)) / 1000 if timed else None,
        error=run.error,
        cost_usd=dollars(run.cost_micro_usd),
        input_tokens=run.input_tokens,
        output_tokens=run.output_tokens,
        turns=run.turns,
    )


def view_run_detail(run: Run) -> RunDetail:
    """Return a run with its prompt and output."""
    return RunDetail(
        run=view_run(run),
        prompt=run.prompt,
        output=run.output,
        model=run.model,
        tools=list(run.tools),
        servers=list(run.servers),
        network=show_network(run.network),
        refused_hosts=list(run.refused_hosts),
        session_id=run.session_id,
    )
