"""What tools answer about jobs."""

from dataclasses import dataclass
from typing import Any

from gateway.domain.job import Job
from gateway.domain.units import dollars, iso
from gateway.jobs.calendar import problem_of
from gateway.jobs.network_words import show_network
from gateway.jobs.output_schema import shown_json
from gateway.tools.views import iso_or_none


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
    budget_per_day_usd: float | None
    network: str | list[str]
    output_schema: dict[str, Any] | None
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
    on_success: str | None
    on_failure: str | None
    notify_after: int | None
    failures: int
    """Of its last runs, one after the other."""
    next_run_at: str | None
    schedule_problem: str | None
    """Why it is never due although it is enabled: its schedule cannot be read any more."""
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
        budget_per_day_usd=dollars(job.day_budget_micro_usd),
        network=show_network(job.network),
        output_schema=shown_json(job.output_schema),
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
        on_success=job.on_success,
        on_failure=job.on_failure,
        notify_after=job.notify_after,
        failures=job.failures,
        next_run_at=iso_or_none(job.next_fire_at),
        schedule_problem=problem_of(job),
        created_at=iso(job.created_at),
        updated_at=iso(job.updated_at),
    )
