"""Tools that make and change jobs: one argument for each thing that a job says."""

from dataclasses import replace

from fastmcp.tools import tool

from gateway.budgets.defaults import check_budget, run_defaults
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.job import Job
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
    JobId,
    JobNetwork,
    MaxTurns,
    Model,
    Name,
    NotifyAfter,
    OnFailure,
    OnSuccess,
    OutputSchema,
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
from gateway.tools.hints import ADD, CHANGE
from gateway.tools.job_answers import answer_about, check_job_tools, find_job, no_job
from gateway.tools.job_changes import Given, apply, check_chain, is_rescheduled, scheduled
from gateway.tools.job_views import JobAnswer
from gateway.tools.sentences import Refused
from gateway.tools.services import Services


class JobWritingTools:
    """create, update."""

    def __init__(self, services: Services) -> None:
        self._services = services

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
        notify_after: NotifyAfter | None = None,
        model: Model | None = None,
        system_prompt: SystemPrompt | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS | None = None,
        budget_usd: BudgetUsd | None = None,
        budget_per_day_usd: BudgetPerDayUsd | None = None,
        network: JobNetwork | None = None,
        output_schema: OutputSchema | None = None,
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
            notify_after=notify_after,
            model=model,
            system_prompt=system_prompt,
            max_turns=max_turns,
            timeout_s=timeout_s,
            budget_usd=budget_usd,
            budget_per_day_usd=budget_per_day_usd,
            network=network,
            output_schema=output_schema,
        )
        checked = check_job_tools(self._services, tools or (), servers or ())
        now, settings = utc_ms(), self._services.settings
        defaults = run_defaults(settings)
        blank = Job(
            id=new_id("job"),
            name=name,
            cron=None,
            timezone=settings.default_timezone,
            prompt=prompt,
            tools=checked.names,
            servers=tuple(servers or ()),
            enabled=enabled,
            created_at=now,
            updated_at=now,
            max_turns=defaults.max_turns,
            timeout_s=defaults.timeout_s,
            budget_micro_usd=defaults.budget_micro_usd,
            day_budget_micro_usd=settings.default_job_daily_budget_usd or None,
        )
        job = scheduled(apply(blank, given, now))
        self._check_budget(job)
        check_chain(job, await self._services.store.jobs.all())
        await self._services.store.jobs.add(job)
        self._services.scheduler.wake()
        return answer_about(self._services, job, checked)

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
        notify_after: NotifyAfter | None = None,
        model: Model | None = None,
        system_prompt: SystemPrompt | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS | None = None,
        budget_usd: BudgetUsd | None = None,
        budget_per_day_usd: BudgetPerDayUsd | None = None,
        network: JobNetwork | None = None,
        output_schema: OutputSchema | None = None,
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
            notify_after=notify_after,
            model=model,
            system_prompt=system_prompt,
            max_turns=max_turns,
            timeout_s=timeout_s,
            budget_usd=budget_usd,
            budget_per_day_usd=budget_per_day_usd,
            network=network,
            output_schema=output_schema,
        )
        old = await find_job(self._services, job_id)
        checked = check_job_tools(
            self._services,
            old.tools if tools is None else tools,
            old.servers if servers is None else servers,
        )
        job = replace(
            apply(old, given, utc_ms()),
            tools=checked.names,
            servers=old.servers if servers is None else tuple(servers),
        )
        self._check_budget(job)
        check_chain(job, await self._services.store.jobs.all())
        if not await self._store_change(old, job):
            raise no_job(job_id)
        self._services.scheduler.wake()
        return answer_about(self._services, await find_job(self._services, job_id), checked)

    def _check_budget(self, job: Job) -> None:
        budgets = (job.budget_micro_usd, job.day_budget_micro_usd)
        check_budget(self._services.settings, job.model, *budgets)

    async def _store_change(self, old: Job, new: Job) -> bool:
        jobs = self._services.store.jobs
        if is_rescheduled(old, new):
            return await jobs.reschedule(scheduled(new))
        return await jobs.update(new)
