"""Tools for jobs: prompts that run on a schedule."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from fastmcp.tools import tool

from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.job import Job
from gateway.domain.network import PUBLIC
from gateway.domain.run import Trigger, run_of_job
from gateway.jobs.cron import next_times
from gateway.jobs.errors import RunFinished
from gateway.tools.arguments import (
    BudgetUsd,
    Cron,
    JobId,
    MaxTurns,
    Model,
    Name,
    Prompt,
    ServerNames,
    SystemPrompt,
    TimeoutS,
    Timezone,
    ToolNames,
)
from gateway.tools.hints import ADD, CHANGE, OPEN, READ
from gateway.tools.names import Normalised, check_tools
from gateway.tools.run_network import JobNetwork, doubts, read_network
from gateway.tools.sentences import Refused, shown
from gateway.tools.server_views import live_tools
from gateway.tools.services import Services
from gateway.tools.views import (
    Deleted,
    JobAnswer,
    JobList,
    Triggered,
    changed,
    iso,
    micro_dollars,
    view_job,
)

SHOWN_TIMES = 3
KILLED_WITH_JOB = "Killed because its job was deleted."


class JobTools:
    """list, get, create, update, delete, trigger."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="List jobs", annotations=READ)
    async def list_jobs(self) -> JobList:
        """List all scheduled jobs with their schedule, prompt, tools and next run.

        Use it to find a job's id, or to see what runs by itself on this machine.
        """
        return JobList([view_job(job) for job in await self._services.store.jobs.all()])

    @tool(title="Get a job", annotations=READ)
    async def get_job(self, job_id: JobId) -> JobAnswer:
        """Show one job in full, with its next three runs and warnings about its tools."""
        return self._answer(await self._job(job_id))

    @tool(title="Create a job", annotations=ADD)
    async def create_job(
        self,
        name: Name,
        cron: Cron,
        prompt: Prompt,
        tools: ToolNames | None = None,
        *,
        servers: ServerNames | None = None,
        timezone: Timezone | None = None,
        enabled: bool = True,
        model: Model | None = None,
        system_prompt: SystemPrompt | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS = 30 * 60,
        budget_usd: BudgetUsd | None = None,
        network: JobNetwork | None = None,
    ) -> JobAnswer:
        """Schedule a prompt: Claude runs it unattended at the times of the cron expression.

        The run sees nothing of this conversation, so the prompt must say everything. Name the
        tools that it needs. A tool that no server has yet is accepted with a warning in
        tool_warnings; read them. Use trigger_job to try the job at once.
        """
        checked = self._check(tools or (), servers or ())
        now = utc_ms()
        job = Job(
            id=new_id("job"),
            name=name,
            cron=cron,
            timezone=timezone or self._services.settings.default_timezone,
            prompt=prompt,
            tools=checked.names,
            servers=tuple(servers or ()),
            enabled=enabled,
            created_at=now,
            updated_at=now,
            model=model or None,
            system_prompt=system_prompt or None,
            max_turns=max_turns or None,
            timeout_s=timeout_s,
            budget_micro_usd=micro_dollars(budget_usd) or None,
            network=PUBLIC if network is None else read_network(network),
        )
        job = _scheduled(job)
        await self._services.store.jobs.add(job)
        self._services.scheduler.wake()
        return self._answer(job, checked)

    @tool(title="Change a job", annotations=CHANGE)
    async def update_job(
        self,
        job_id: JobId,
        *,
        name: Name | None = None,
        cron: Cron | None = None,
        prompt: Prompt | None = None,
        tools: ToolNames | None = None,
        servers: ServerNames | None = None,
        timezone: Timezone | None = None,
        enabled: bool | None = None,
        model: Model | None = None,
        system_prompt: SystemPrompt | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS | None = None,
        budget_usd: BudgetUsd | None = None,
        network: JobNetwork | None = None,
    ) -> JobAnswer:
        """Change parts of a job; what is not given stays. enabled=false pauses it.

        Runs that are under way are not touched.
        """
        old = await self._job(job_id)
        checked = self._check(
            old.tools if tools is None else tools, old.servers if servers is None else servers
        )
        job = replace(
            old,
            name=name or old.name,
            cron=cron or old.cron,
            prompt=prompt or old.prompt,
            timezone=timezone or old.timezone,
            enabled=old.enabled if enabled is None else enabled,
            tools=checked.names,
            servers=old.servers if servers is None else tuple(servers),
            model=changed(old.model, model),
            system_prompt=changed(old.system_prompt, system_prompt),
            max_turns=changed(old.max_turns, max_turns),
            timeout_s=timeout_s or old.timeout_s,
            budget_micro_usd=changed(old.budget_micro_usd, micro_dollars(budget_usd)),
            network=old.network if network is None else read_network(network),
            updated_at=utc_ms(),
        )
        if (job.cron, job.timezone, job.enabled) != (old.cron, old.timezone, old.enabled):
            # An unchanged schedule keeps its instant: it may be due and not yet handled.
            job = _scheduled(job)
        if not await self._services.store.jobs.update(job):
            raise _no_job(job_id)
        self._services.scheduler.wake()
        return self._answer(job, checked)

    @tool(title="Delete a job", annotations=CHANGE)
    async def delete_job(self, job_id: JobId) -> Deleted:
        """Delete a job and all its runs with their output, for good; a run under way is killed."""
        job = await self._job(job_id)
        for run in await self._services.store.runs.unfinished(job_id):
            with suppress(RunFinished):
                await self._services.runner.kill(run.id, KILLED_WITH_JOB)
        if not await self._services.store.jobs.delete(job_id):
            raise _no_job(job_id)
        self._services.runner.forget_folder(job_id)
        return Deleted(job_id, f"Job {job.name!r} and its runs are deleted.")

    @tool(title="Run a job now", annotations=OPEN)
    async def trigger_job(self, job_id: JobId) -> Triggered:
        """Run a job now, besides its schedule; answers at once with the run's id.

        Follow the run with get_run(run_id) until its status is final. A disabled job can be
        triggered too.
        """
        job = await self._job(job_id)
        run = await self._services.runner.submit(
            run_of_job(job, trigger=Trigger.MANUAL, now=utc_ms())
        )
        return Triggered(run.id, run.status, f"The run is {run.status}; ask get_run how it goes.")

    async def _job(self, job_id: str) -> Job:
        job = await self._services.store.jobs.get(job_id)
        if job is None:
            raise _no_job(job_id)
        return job

    def _check(self, tools: Sequence[str], servers: Sequence[str]) -> Normalised:
        return check_tools(tools, servers, live_tools(self._services.supervisor.snapshots()))

    def _answer(self, job: Job, checked: Normalised | None = None) -> JobAnswer:
        warnings = (checked or self._check(job.tools, job.servers)).warnings
        warnings = [*warnings, *doubts(job.network, job.tools)]
        times = next_times(job.cron, job.timezone, utc_ms(), SHOWN_TIMES) if job.enabled else ()
        return JobAnswer(view_job(job), [iso(at) for at in times], warnings)


def _scheduled(job: Job) -> Job:
    """Return the job with its next instant after its last change. Raises InvalidCron."""
    times = next_times(job.cron, job.timezone, job.updated_at, 1)
    if not times:
        raise Refused(f"Cron expression {job.cron!r} never comes true; choose another.")
    return replace(job, next_fire_at=times[0] if job.enabled else None)


def _no_job(job_id: str) -> Refused:
    return Refused(f"There is no job {shown(job_id)}; list_jobs shows the ids.")
