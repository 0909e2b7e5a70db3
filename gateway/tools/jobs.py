"""Tools for jobs: prompts that run on a schedule."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from fastmcp.tools import tool

from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.job import Job
from gateway.domain.run import Trigger, run_of_job
from gateway.jobs.calendar import next_firings
from gateway.jobs.errors import RunFinished
from gateway.tools.arguments import (
    At,
    BudgetUsd,
    CatchUpMax,
    CatchUpRule,
    Concurrency,
    Cron,
    GraceS,
    InterruptRule,
    JitterS,
    JobId,
    MaxTurns,
    Model,
    Name,
    OnFailure,
    OnSuccess,
    OverlapRule,
    PausedUntil,
    Prompt,
    Retries,
    ServerNames,
    StartWithinS,
    SystemPrompt,
    TimeoutS,
    Timezone,
    ToolNames,
)
from gateway.tools.hints import ADD, CHANGE, OPEN, READ
from gateway.tools.job_changes import Given, apply, check_chain, is_rescheduled, scheduled
from gateway.tools.job_views import JobAnswer, JobList, view_job
from gateway.tools.names import Normalised, check_tools
from gateway.tools.run_network import JobNetwork, doubts
from gateway.tools.sentences import Refused, shown
from gateway.tools.server_views import live_tools
from gateway.tools.services import Services
from gateway.tools.times import local_times, zone_note
from gateway.tools.views import Deleted, Triggered

SHOWN_TIMES = 5
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
        """Show one job in full, with its next five runs and warnings about its tools."""
        return self._answer(await self._job(job_id))

    @tool(title="Create a job", annotations=ADD)
    async def create_job(
        self,
        name: Name,
        prompt: Prompt,
        cron: Cron | None = None,
        at: At | None = None,
        tools: ToolNames | None = None,
        *,
        servers: ServerNames | None = None,
        timezone: Timezone | None = None,
        enabled: bool = True,
        paused_until: PausedUntil | None = None,
        jitter_s: JitterS | None = None,
        catch_up: CatchUpRule | None = None,
        catch_up_max: CatchUpMax | None = None,
        grace_s: GraceS | None = None,
        overlap: OverlapRule | None = None,
        start_within_s: StartWithinS | None = None,
        retries: Retries | None = None,
        concurrency: Concurrency | None = None,
        on_interrupt: InterruptRule | None = None,
        on_success: OnSuccess | None = None,
        on_failure: OnFailure | None = None,
        model: Model | None = None,
        system_prompt: SystemPrompt | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS | None = None,
        budget_usd: BudgetUsd | None = None,
        network: JobNetwork | None = None,
    ) -> JobAnswer:
        """Schedule a prompt: Claude runs it unattended at the times of a cron expression, or once.

        Give cron or at. The run sees nothing of this conversation, so the prompt must say
        everything. Name the tools that it needs. A tool that no server has yet is accepted with a
        warning in tool_warnings; read them, and next_runs. Use trigger_job to try the job at once.

        Without other words: the gateway's zone, catch_up latest within an hour, overlap skip, half
        an hour for a run.
        """
        if cron is None and at is None:
            raise Refused("A job needs a schedule; give cron, or at for one that runs once.")
        given = Given(
            name=name,
            prompt=prompt,
            cron=cron,
            at=at,
            timezone=timezone,
            enabled=enabled,
            paused_until=paused_until,
            jitter_s=jitter_s,
            catch_up=catch_up,
            catch_up_max=catch_up_max,
            grace_s=grace_s,
            overlap=overlap,
            start_within_s=start_within_s,
            retries=retries,
            concurrency=concurrency,
            on_interrupt=on_interrupt,
            on_success=on_success,
            on_failure=on_failure,
            model=model,
            system_prompt=system_prompt,
            max_turns=max_turns,
            timeout_s=timeout_s,
            budget_usd=budget_usd,
            network=network,
        )
        checked = self._check(tools or (), servers or ())
        now = utc_ms()
        blank = Job(
            id=new_id("job"),
            name=name,
            cron=None,
            timezone=self._services.settings.default_timezone,
            prompt=prompt,
            tools=checked.names,
            servers=tuple(servers or ()),
            enabled=enabled,
            created_at=now,
            updated_at=now,
        )
        job = scheduled(apply(blank, given, now))
        check_chain(job, await self._services.store.jobs.all())
        await self._services.store.jobs.add(job)
        self._services.scheduler.wake()
        return self._answer(job, checked)

    @tool(title="Change a job", annotations=CHANGE)
    async def update_job(
        self,
        job_id: JobId,
        *,
        name: Name | None = None,
        prompt: Prompt | None = None,
        cron: Cron | None = None,
        at: At | None = None,
        tools: ToolNames | None = None,
        servers: ServerNames | None = None,
        timezone: Timezone | None = None,
        enabled: bool | None = None,
        paused_until: PausedUntil | None = None,
        jitter_s: JitterS | None = None,
        catch_up: CatchUpRule | None = None,
        catch_up_max: CatchUpMax | None = None,
        grace_s: GraceS | None = None,
        overlap: OverlapRule | None = None,
        start_within_s: StartWithinS | None = None,
        retries: Retries | None = None,
        concurrency: Concurrency | None = None,
        on_interrupt: InterruptRule | None = None,
        on_success: OnSuccess | None = None,
        on_failure: OnFailure | None = None,
        model: Model | None = None,
        system_prompt: SystemPrompt | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS | None = None,
        budget_usd: BudgetUsd | None = None,
        network: JobNetwork | None = None,
    ) -> JobAnswer:
        """Change parts of a job; what is not given stays. enabled=false pauses it for good.

        cron and at replace each other. Runs that are under way are not touched.
        """
        given = Given(
            name=name,
            prompt=prompt,
            cron=cron,
            at=at,
            timezone=timezone,
            enabled=enabled,
            paused_until=paused_until,
            jitter_s=jitter_s,
            catch_up=catch_up,
            catch_up_max=catch_up_max,
            grace_s=grace_s,
            overlap=overlap,
            start_within_s=start_within_s,
            retries=retries,
            concurrency=concurrency,
            on_interrupt=on_interrupt,
            on_success=on_success,
            on_failure=on_failure,
            model=model,
            system_prompt=system_prompt,
            max_turns=max_turns,
            timeout_s=timeout_s,
            budget_usd=budget_usd,
            network=network,
        )
        old = await self._job(job_id)
        checked = self._check(
            old.tools if tools is None else tools, old.servers if servers is None else servers
        )
        job = replace(
            apply(old, given, utc_ms()),
            tools=checked.names,
            servers=old.servers if servers is None else tuple(servers),
        )
        check_chain(job, await self._services.store.jobs.all())
        if not await self._store_change(old, job):
            raise _no_job(job_id)
        self._services.scheduler.wake()
        return self._answer(await self._job(job_id), checked)

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

    async def _store_change(self, old: Job, new: Job) -> bool:
        jobs = self._services.store.jobs
        if is_rescheduled(old, new):
            return await jobs.reschedule(scheduled(new))
        return await jobs.update(new)

    def _answer(self, job: Job, checked: Normalised | None = None) -> JobAnswer:
        warnings = (checked or self._check(job.tools, job.servers)).warnings
        now = utc_ms()
        return JobAnswer(
            view_job(job),
            local_times(next_firings(job, now, SHOWN_TIMES), job.timezone),
            zone_note(job.timezone, now),
            [*warnings, *doubts(job.network, job.tools)],
        )


def _no_job(job_id: str) -> Refused:
    return Refused(f"There is no job {shown(job_id)}; list_jobs shows the ids.")
