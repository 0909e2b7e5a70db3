"""A run: one execution of a prompt, from row to result."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from gateway.domain.budget import Limit
from gateway.domain.ids import new_id
from gateway.domain.job import Job, OnInterrupt
from gateway.domain.network import PUBLIC, RunNetwork


class RunStatus(StrEnum):
    """Where a run is; the last eight are final."""

    QUEUED = "queued"
    """Written down, not yet claimed."""
    STARTING = "starting"
    """Claimed; servers are checked and the CLI is being started."""
    RUNNING = "running"
    """The CLI reported its tools."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    BUDGET = "budget"
    """Stopped by a limit on money or turns."""
    INTERRUPTED = "interrupted"
    """The gateway ended before the run did."""
    EXPIRED = "expired"
    """Not started within its time to live."""
    SKIPPED = "skipped"
    """A due instant that did not start, with the reason."""

    @property
    def final(self) -> bool:
        """True when the run will never change again."""
        return self not in (RunStatus.QUEUED, RunStatus.STARTING, RunStatus.RUNNING)

    @property
    def failure(self) -> bool:
        """True of the ends of a run that began and did not do its work."""
        return self in (
            RunStatus.FAILED,
            RunStatus.TIMED_OUT,
            RunStatus.BUDGET,
            RunStatus.INTERRUPTED,
        )


class Trigger(StrEnum):
    """What started a run."""

    CRON = "cron"
    WEBHOOK = "webhook"
    MANUAL = "manual"
    QUICK = "quick"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class Run:
    """One execution. Times are integer milliseconds UTC, money integer micro-dollars."""

    id: str
    trigger: Trigger
    status: RunStatus
    prompt: str
    tools: tuple[str, ...]
    servers: tuple[str, ...]
    created_at: int
    job_id: str | None = None
    webhook_id: str | None = None
    scheduled_for: int | None = None
    """The due instant of a cron run; unique together with job_id."""
    scheduled_until: int | None = None
    """The last of the instants that a skipped row stands for, when it stands for several."""
    model: str | None = None
    system_prompt: str | None = None
    max_turns: int | None = None
    timeout_s: float = 30 * 60
    budget_micro_usd: int | None = None
    network: RunNetwork = PUBLIC
    output_schema: str | None = None
    """JSON Schema that its structured output must fit, as JSON text."""
    expires_at: int | None = None
    """Not started by then, it expires."""
    not_before: int | None = None
    """It waits until then before it begins again."""
    retries: int = 0
    concurrency: int | None = None
    """Most runs of its job at a time; None: any number."""
    on_interrupt: OnInterrupt = OnInterrupt.MARK
    chained_from: str | None = None
    """Id of the run whose end started this one."""
    chain_depth: int = 0
    """How many runs led to this one, each by the end of the one before."""
    attempt: int = 0
    """Counts claims; a write with an older attempt is refused."""
    started_at: int | None = None
    finished_at: int | None = None
    output: str | None = None
    structured: str | None = None
    """What fits `output_schema`, as JSON text."""
    error: str | None = None
    """One sentence for a person when the run did not succeed."""
    cost_micro_usd: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    turns: int | None = None
    worked_ms: int = 0
    """How long its attempts that ended were at work together; `timeout_s` bounds it."""
    limit_reached: Limit | None = None
    """What ended it, or kept it from starting, if a limit did."""
    session_id: str | None = None
    refused_hosts: tuple[str, ...] = ()
    """The last ones that it asked for and its network does not grant, oldest first."""
    process_group: int | None = None
    """Group of the CLI while it runs, so that a later start can end what was left."""
    process_started_at: float | None = None
    """psutil create_time of the group's leader; guards against a re-used number."""
    node: str | None = None
    """The gateway that has it, or had it last; None: none yet, or an older release."""

    @property
    def took_s(self) -> float | None:
        """How long it took: all attempts, not the pauses between them. None until it ends."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(self.finished_at - self.started_at, self.worked_ms) / 1000


def run_of_job(job: Job, *, trigger: Trigger, now: int, scheduled_for: int | None = None) -> Run:
    """Return a queued run of a job, as the job is now."""
    return Run(
        id=new_id("run"),
        trigger=trigger,
        status=RunStatus.QUEUED,
        prompt=job.prompt,
        tools=job.tools,
        servers=job.servers,
        created_at=now,
        job_id=job.id,
        scheduled_for=scheduled_for,
        model=job.model,
        system_prompt=job.system_prompt,
        max_turns=job.max_turns,
        timeout_s=job.timeout_s,
        budget_micro_usd=job.budget_micro_usd,
        network=job.network,
        output_schema=job.output_schema,
        expires_at=None if job.start_within_s is None else now + int(job.start_within_s * 1000),
        retries=job.retries,
        concurrency=job.most_at_once,
        on_interrupt=job.on_interrupt,
    )


def run_again(run: Run, now: int) -> Run:
    """Return a queued run that is asked the same as `run`, with the same tools and limits."""
    # A webhook's prompt was written by strangers and stays so.
    trigger = run.trigger if run.trigger in (Trigger.WEBHOOK, Trigger.QUICK) else Trigger.MANUAL
    result = {field.name: field.default for field in fields(RunResult) if field.name != "status"}
    return replace(
        run,
        **result,
        id=new_id("run"),
        trigger=trigger,
        status=RunStatus.QUEUED,
        created_at=now,
        scheduled_for=None,
        scheduled_until=None,
        expires_at=None,
        not_before=None,
        chained_from=None,
        chain_depth=0,
        attempt=0,
        started_at=None,
        finished_at=None,
        process_group=None,
        process_started_at=None,
    )


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: what `finish` stores."""

    status: RunStatus
    output: str | None = None
    structured: str | None = None
    error: str | None = None
    cost_micro_usd: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    turns: int | None = None
    worked_ms: int = 0
    limit_reached: Limit | None = None
    session_id: str | None = None
    refused_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunMessage:
    """One message of a run's transcript."""

    run_id: str
    seq: int
    kind: str
    """The SDK's message type: system, assistant, user, result."""
    body: str
    """The message as JSON text."""
    at: int


@dataclass(frozen=True, slots=True)
class RunWish:
    """Which runs somebody wants to see, by when they were made."""

    since: int | None = None
    until: int | None = None
    """Not that instant itself."""
    job_id: str | None = None
    webhook_id: str | None = None
    status: RunStatus | None = None
    after: tuple[int, str] | None = None
    """When the last run that was seen was made, and its id."""
    limit: int = 200
