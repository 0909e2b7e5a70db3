"""What the pages show of jobs: values turned into text. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.dashboard.fields import network_text
from gateway.dashboard.views import Tone, money, tone_of
from gateway.domain.job import CatchUp, Job
from gateway.domain.run import Run
from gateway.jobs.calendar import next_firings, problem_of
from gateway.jobs.network_words import show_network
from gateway.jobs.times import local_times

LISTED_TIMES = 2
LISTED_JOBS = 2000
"""Whose times are remembered: an open list is written every two seconds."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job in the list, and at the head of its page."""

    id: str
    name: str
    state: str
    tone: Tone
    why: str
    """Since when or until when it is in this state; empty: there is nothing to say."""
    schedule: str
    next: tuple[str, ...]
    """In the job's zone."""
    last: str
    last_tone: Tone
    last_run: str
    """The id of the run; empty: there was none."""
    cost: str


def job_row(job: Job, last: Run | None, cost_micro_usd: int, now: int) -> JobRow:
    """Return the row of a job; `last` is its newest run, the cost that of seven days."""
    state, tone, why = _state(job, now)
    return JobRow(
        id=job.id,
        name=job.name,
        state=state,
        tone=tone,
        why=why,
        schedule=schedule_of(job),
        next=_listed_times(job),
        last="never ran" if last is None else last.status.value.replace("_", " "),
        last_tone=Tone.QUIET if last is None else tone_of(last.status),
        last_run="" if last is None else last.id,
        cost=money(cost_micro_usd),
    )


@lru_cache(LISTED_JOBS)
def _listed_times(job: Job) -> tuple[str, ...]:
    """Return the next times of a job, which stay so until its next instant moves."""
    due = job.next_fire_at
    return () if due is None else times_of(job, due - 1, LISTED_TIMES)


def times_of(job: Job, now: int, count: int) -> tuple[str, ...]:
    """Return when a job runs next, as its zone's clocks show it."""
    instants = () if problem_of(job) else next_firings(job, now, count)
    return spoken(instants, job.timezone)


def spoken(instants: tuple[int, ...], zone: str) -> tuple[str, ...]:
    """Return instants with the date, the time and the offset of a zone."""
    return tuple(each.replace("T", " ") for each in local_times(instants, zone))


def schedule_of(job: Job) -> str:
    """Return a schedule in one line."""
    if job.at is not None:
        return f"once, {spoken((job.at,), job.timezone)[0]}"
    return f"{job.cron} ({job.timezone})"


def facts_of(job: Job, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what stands at the head of a job's page; `names` are those of all jobs by id."""
    return [
        ("Schedule", schedule_of(job)),
        ("Tools", ", ".join(job.tools) or "the default ones, and all of its servers"),
        ("Network", network_text(show_network(job.network))),
        ("Servers", ", ".join(job.servers) or "those of its tools, else the default ones"),
        ("Model", job.model or "the default"),
        ("Budget of a run", _amount(job.budget_micro_usd)),
        ("Budget of a day", _amount(job.day_budget_micro_usd)),
        ("Time for a run", f"{job.timeout_s:g} s"),
        ("Turns of a run", str(job.max_turns or "any number")),
        ("Missed times", _missed(job)),
        ("While one runs", job.overlap.value),
        ("At most at once", str(job.most_at_once or "any number")),
        ("Waits at most", _seconds(job.start_within_s, "any time")),
        ("Spread", _seconds(job.jitter_s, "none")),
        ("Retries", str(job.retries)),
        ("After an interruption", job.on_interrupt.value),
        ("After success", names.get(job.on_success or "", "nothing")),
        ("After a failure", names.get(job.on_failure or "", "nothing")),
        ("Failures in a row", str(job.failures)),
    ]


def _missed(job: Job) -> str:
    most = f", {job.catch_up_max} at most" if job.catch_up is CatchUp.ALL else ""
    return f"{job.catch_up.value}{most}, up to {job.grace_s:g} s late"


def _seconds(amount: float | None, none: str) -> str:
    return f"{amount:g} s" if amount else none


def _amount(micro_usd: int | None) -> str:
    return "none" if micro_usd is None else money(micro_usd)


def _state(job: Job, now: int) -> tuple[str, Tone, str]:
    if not job.enabled:
        return "off", Tone.QUIET, "switched off by its owner"
    if problem := problem_of(job):
        return "broken", Tone.BAD, problem
    if job.paused_until is not None and job.paused_until > now:
        until = spoken((job.paused_until,), job.timezone)[0]
        return "paused", Tone.BUSY, f"until {until}"
    if job.failures:
        times = "its last run" if job.failures == 1 else f"its last {job.failures} runs"
        return "failing", Tone.BAD, f"{times} failed"
    if job.next_fire_at is None:
        return "over", Tone.QUIET, "it is not due any more"
    return "on", Tone.GOOD, ""
