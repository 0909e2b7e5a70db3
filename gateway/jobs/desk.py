"""What the owner does with jobs: the same by page, by tool and by command.

Above: pages and tools. Below: the store, the scheduler and the runner.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.budgets.defaults import check_budget, run_defaults
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.job import Job
from gateway.domain.run import Run, Trigger, run_of_job
from gateway.jobs.calendar import next_firings
from gateway.jobs.errors import JobRefused, NoSuchJob, RunFinished
from gateway.jobs.given import Given, apply, check_chain, is_rescheduled, rescheduled, scheduled
from gateway.jobs.network_words import doubts
from gateway.jobs.runner import Runner
from gateway.jobs.scheduler import Scheduler
from gateway.settings import Settings
from gateway.store import Store
from gateway.tool_names import Live, Normalised, check_tools

KILLED_WITH_JOB = "Killed because its job was deleted."


@dataclass(frozen=True, slots=True)
class ToldJob:
    """A job that was made or changed, and what is doubtful about its tools."""

    job: Job
    doubts: tuple[str, ...]


class JobDesk:
    """Makes, changes, runs and deletes jobs."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        runner: Runner,
        scheduler: Scheduler,
        live: Callable[[], Live],
    ) -> None:
        """`live` returns the servers with the tools that they show now."""
        self._settings = settings
        self._store = store
        self._runner = runner
        self._scheduler = scheduler
        self._live = live

    async def get(self, job_id: str) -> Job:
        """Return the job. Raises NoSuchJob and StoreError."""
        job = await self._store.jobs.get(job_id)
        if job is None:
            raise NoSuchJob(job_id)
        return job

    def blank(self) -> Job:
        """Return a job with nothing but the gateway's defaults, which is not stored."""
        now, defaults = utc_ms(), run_defaults(self._settings)
        return Job(
            id=new_id("job"),
            name="",
            cron=None,
            timezone=self._settings.default_timezone,
            prompt="",
            tools=(),
            servers=(),
            enabled=True,
            created_at=now,
            updated_at=now,
            max_turns=defaults.max_turns,
            timeout_s=defaults.timeout_s,
            budget_micro_usd=defaults.budget_micro_usd,
            day_budget_micro_usd=self._settings.default_job_daily_budget_usd or None,
        )

    async def create(self, given: Given) -> ToldJob:
        """Make a job of at least a name, a prompt and a schedule.

        Raises InvalidToolName, UnknownPrice, JobError and StoreError.
        """
        if given.cron is None and given.at is None:
            sentence = "A job needs a schedule; give cron, or at for one that runs once."
            raise JobRefused("cron", sentence)
        checked = self._check(given.tools or (), given.servers or ())
        blank = replace(self.blank(), tools=checked.names, servers=tuple(given.servers or ()))
        job = scheduled(apply(blank, given, blank.created_at))
        self._check_budget(job)
        check_chain(job, await self._store.jobs.all())
        await self._store.jobs.add(job)
        self._scheduler.wake()
        return _told(job, checked)

    async def change(self, job_id: str, given: Given) -> ToldJob:
        """Change what is given. Raises NoSuchJob, and what `create` raises.

        What the job has had until now is not refused, so that a job that could not be made any
        more can be paused and switched off.
        """
        while (checked := await self._change(await self.get(job_id), given)) is None:
            pass  # Changed or paused by somebody else meanwhile: that, with what is given, it is.
        self._runner.ahead.forget(job_id)
        self._scheduler.wake()
        return _told(await self.get(job_id), checked)

    async def _change(self, old: Job, given: Given) -> Normalised | None:
        """Store what is given; None when the job is not `old` any more."""
        tools = old.tools if given.tools is None else given.tools
        servers = old.servers if given.servers is None else tuple(given.servers)
        checked = self._check(tools, servers)
        job = replace(apply(old, given, utc_ms()), tools=checked.names, servers=servers)
        if _spending(job) != _spending(old):
            self._check_budget(job)
        check_chain(job, await self._store.jobs.all())
        return checked if await self._store_change(old, job) else None

    def preview(self, old: Job, given: Given, count: int) -> tuple[Job, tuple[int, ...]]:
        """Return the job that `given` makes of `old`, and when it would run. Raises JobError."""
        job = scheduled(apply(old, given, utc_ms()))
        return job, next_firings(replace(job, enabled=True), job.updated_at, count)

    async def trigger(self, job_id: str) -> Run:
        """Queue a run of the job now, besides its schedule. Raises NoSuchJob and StoreError."""
        run = run_of_job(await self.get(job_id), trigger=Trigger.MANUAL, now=utc_ms())
        return await self._runner.submit(run)

    async def delete(self, job_id: str) -> Job:
        """Delete a job and all its runs, killing those under way. Raises NoSuchJob, StoreError."""
        job = await self.get(job_id)
        for run in await self._store.runs.unfinished(job_id):
            with suppress(RunFinished):
                await self._runner.kill(run.id, KILLED_WITH_JOB)
        if not await self._store.jobs.delete(job_id):
            raise NoSuchJob(job_id)
        self._runner.forget_folder(job_id)
        return job

    def doubts(self, job: Job) -> tuple[str, ...]:
        """Return what is doubtful about a job's tools now."""
        return _told(job, self._check(job.tools, job.servers)).doubts

    def _check(self, tools: Sequence[str], servers: Sequence[str]) -> Normalised:
        return check_tools(tools, servers, self._live())

    def _check_budget(self, job: Job) -> None:
        check_budget(self._settings, *_spending(job))

    async def _store_change(self, old: Job, new: Job) -> bool:
        """Store a changed job; False: it is not `old` any more.

        Where the next instant is found anew, what was due by then has its runs or rows first.
        """
        if not is_rescheduled(old, new):
            return await self._store.jobs.update(old, new)
        moved = rescheduled(old, new)
        if await self._scheduler.settle(old, new.updated_at):
            return False
        return await self._store.jobs.reschedule(old, moved)


def _spending(job: Job) -> tuple[str | None, int | None, int | None]:
    """Return the model, and the budgets of a run and of a day."""
    return job.model, job.budget_micro_usd, job.day_budget_micro_usd


def _told(job: Job, checked: Normalised) -> ToldJob:
    return ToldJob(job, (*checked.warnings, *doubts(job.network, job.tools)))
