"""What a caller gives for a job, and the job that comes of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.domain.job import CatchUp, Job, OnInterrupt, Overlap
from gateway.domain.units import changed, iso, micro_dollars
from gateway.jobs.calendar import next_firings
from gateway.jobs.cron import check_zone
from gateway.jobs.errors import InvalidCron, JobRefused, NoSuchJob
from gateway.jobs.network_words import read_network
from gateway.jobs.output_schema import changed_schema
from gateway.jobs.times import read_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is to be changed, by the names of the tools' arguments; None: not given."""

    tools: Sequence[str] | None = None
    servers: Sequence[str] | None = None

    name: str | None = None
    prompt: str | None = None
    cron: str | None = None
    at: str | None = None
    timezone: str | None = None
    enabled: bool | None = None
    paused_until: str | None = None
    jitter_s: float | None = None
    catch_up: CatchUp | None = None
    catch_up_max: int | None = None
    grace_s: float | None = None
    overlap: Overlap | None = None
    start_within_s: float | None = None
    retries: int | None = None
    concurrency: int | None = None
    on_interrupt: OnInterrupt | None = None
    on_success: str | None = None
    on_failure: str | None = None
    notify_after: int | None = None
    model: str | None = None
    system_prompt: str | None = None
    max_turns: int | None = None
    timeout_s: float | None = None
    budget_usd: float | None = None
    budget_per_day_usd: float | None = None
    network: str | list[str] | None = None
    output_schema: Mapping[str, Any] | None = None


def apply(old: Job, given: Given, now: int) -> Job:
    """Return the job as `given` changes it; an empty text or 0 clears what is optional.

    Raises JobRefused, InvalidCron, InvalidOutputSchema.
    """
    job = replace(
        old,
        name=given.name or old.name,
        prompt=given.prompt or old.prompt,
        timezone=given.timezone or old.timezone,
        enabled=old.enabled if given.enabled is None else given.enabled,
        jitter_s=old.jitter_s if given.jitter_s is None else given.jitter_s,
        catch_up=given.catch_up or old.catch_up,
        catch_up_max=given.catch_up_max or old.catch_up_max,
        grace_s=old.grace_s if given.grace_s is None else given.grace_s,
        overlap=given.overlap or old.overlap,
        start_within_s=changed(old.start_within_s, given.start_within_s),
        retries=old.retries if given.retries is None else given.retries,
        concurrency=changed(old.concurrency, given.concurrency),
        on_interrupt=given.on_interrupt or old.on_interrupt,
        on_success=changed(old.on_success, given.on_success),
        on_failure=changed(old.on_failure, given.on_failure),
        notify_after=old.notify_after if given.notify_after is None else given.notify_after,
        model=changed(old.model, given.model),
        system_prompt=changed(old.system_prompt, given.system_prompt),
        max_turns=changed(old.max_turns, given.max_turns),
        timeout_s=given.timeout_s or old.timeout_s,
        budget_micro_usd=changed(old.budget_micro_usd, micro_dollars(given.budget_usd)),
        day_budget_micro_usd=changed(
            old.day_budget_micro_usd, micro_dollars(given.budget_per_day_usd)
        ),
        network=old.network if given.network is None else read_network(given.network),
        output_schema=changed_schema(old.output_schema, given.output_schema),
        updated_at=now,
    )
    if job.timezone != old.timezone:
        check_zone(job.timezone)
    return _timed(job, given)


SCHEDULE = ("cron", "at", "timezone", "jitter_s")


def is_rescheduled(old: Job, new: Job) -> bool:
    """Tell whether the next instant is to be found anew.

    An unchanged schedule keeps its instant: it may be due and not yet handled.
    """
    return any(
        getattr(old, name) != getattr(new, name) for name in (*SCHEDULE, "enabled", "paused_until")
    )


def rescheduled(old: Job, new: Job) -> Job:
    """Return the changed job with its next instant. Raises JobError.

    A schedule that stays as it was may have become invalid: the job can be switched off and paused
    all the same.
    """
    unchanged = all(getattr(old, name) == getattr(new, name) for name in SCHEDULE)
    if unchanged and not new.enabled:
        return replace(new, next_fire_at=None)
    try:
        return scheduled(new)
    except InvalidCron:
        if unchanged and old.enabled and new.paused_until is not None:
            return replace(new, next_fire_at=None)
        raise


def check_chain(job: Job, others: Iterable[Job]) -> None:
    """Accept the jobs that run after `job`. Raises JobRefused for unknown ones and for circles."""
    known = {other.id: other for other in others} | {job.id: job}
    reached, ahead = set[str](), [*_followers(job)]
    while ahead:
        job_id = ahead.pop()
        if job_id not in known:
            raise NoSuchJob(job_id)
        if job_id == job.id:
            raise JobRefused(
                "on_success",
                "The job would run after itself, on and on; choose another on_success or"
                " on_failure.",
            )
        if job_id not in reached:
            reached.add(job_id)
            ahead += _followers(known[job_id])


def _followers(job: Job) -> list[str]:
    return [job_id for job_id in (job.on_success, job.on_failure) if job_id]


def scheduled(job: Job) -> Job:
    """Return the job with its next instant after its last change. Raises JobError."""
    times = next_firings(replace(job, enabled=True), job.updated_at, 1)
    if not times and (job.enabled or job.at is None):
        raise JobRefused("cron" if job.at is None else "at", _never(job))
    return replace(job, next_fire_at=times[0] if job.enabled else None)


def _timed(job: Job, given: Given) -> Job:
    """Return the job with the schedule that is given, of which the last kind counts."""
    if given.cron is not None and given.at is not None:
        raise JobRefused("at", "A job has either cron or at; leave one of them out.")
    if given.at is not None or given.paused_until:
        check_zone(job.timezone)
    if given.at is not None:
        job = replace(job, cron=None, at=read_instant("at", given.at, job.timezone))
    elif given.cron is not None:
        job = replace(job, cron=given.cron, at=None)
    if given.paused_until:
        until = read_instant("paused_until", given.paused_until, job.timezone)
        if until <= job.updated_at:
            raise JobRefused(
                "paused_until", f"The argument paused_until is {iso(until)}, which is past."
            )
        return replace(job, paused_until=until)
    return replace(job, paused_until=None) if given.paused_until == "" else job


def _never(job: Job) -> str:
    if job.at is None:
        return f"Cron expression {job.cron!r} never comes true; choose another."
    if job.at <= job.updated_at:
        return f"The job's only time, {iso(job.at)}, is past; give a later one as at."
    return f"The job's only time, {iso(job.at)}, is within its pause; give another at or pause."
