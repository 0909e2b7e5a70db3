"""Tools that make and change jobs: one argument for each thing that a job says."""

from fastmcp.tools import tool

from gateway.jobs.given import Given
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
from gateway.tools.job_answers import answer_about, job_desk
from gateway.tools.job_views import JobAnswer
from gateway.tools.services import Services


class JobWritingTools:
    """create, update."""

    def __init__(self, services: Services) -> None:
        self._desk = job_desk(services)

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
        given = Given(
            name=name,
            prompt=prompt,
            cron=cron,
            at=at,
            tools=tools,
            servers=servers,
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
        return answer_about(await self._desk.create(given))

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
            tools=tools,
            servers=servers,
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
        return answer_about(await self._desk.change(job_id, given))
