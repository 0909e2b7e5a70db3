"""The tool for a quick run: a prompt now, without a job."""

from dataclasses import dataclass
from typing import Annotated

import anyio
from fastmcp.tools import tool
from pydantic import Field

from gateway.budgets.defaults import check_budget, run_defaults
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.network import PUBLIC
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.domain.units import changed, micro_dollars
from gateway.jobs.network_words import doubts, read_network
from gateway.jobs.output_schema import changed_schema
from gateway.tools.arguments import (
    BudgetUsd,
    JobNetwork,
    MaxTurns,
    Model,
    OutputSchema,
    Prompt,
    ServerNames,
    SystemPrompt,
    TimeoutS,
    ToolNames,
)
from gateway.tools.hints import OPEN
from gateway.tools.job_answers import check_job_tools
from gateway.tools.services import Services
from gateway.tools.views import RunView, view_run

MAX_WAIT_S = 50.0
"""Most clients give a call up after a minute."""
EVERYTHING = (
    "It names no tools, so it has the default tools and every tool of its servers; name tools to "
    "narrow it."
)

WaitS = Annotated[
    float,
    Field(
        ge=0,
        le=MAX_WAIT_S,
        description="Wait up to so many seconds for the result; 0 answers with the id at once.",
    ),
]


@dataclass(frozen=True, slots=True)
class QuickRun:
    """A run that was started, or has ended while the caller waited."""

    run: RunView
    output: str | None
    """What it answered; None while it has not ended."""
    message: str
    tool_warnings: list[str]


class QuickRunTools:
    """run_prompt."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Run a prompt now", annotations=OPEN)
    async def run_prompt(
        self,
        prompt: Prompt,
        tools: ToolNames | None = None,
        servers: ServerNames | None = None,
        model: Model | None = None,
        system_prompt: SystemPrompt | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS | None = None,
        budget_usd: BudgetUsd | None = None,
        network: JobNetwork | None = None,
        output_schema: OutputSchema | None = None,
        wait_s: WaitS = 0.0,
    ) -> QuickRun:
        """Run a prompt now, unattended and without this conversation; it goes before all others.

        An empty list of tools means the default tools and every tool of its servers. Without
        wait_s it answers at once; get_run tells how it went, kill_run ends it.
        """
        checked = check_job_tools(self._services, tools or (), servers or ())
        defaults = run_defaults(self._services.settings)
        run = Run(
            id=new_id("run"),
            trigger=Trigger.QUICK,
            status=RunStatus.QUEUED,
            prompt=prompt,
            tools=checked.names,
            servers=tuple(servers or ()),
            created_at=utc_ms(),
            model=model or None,
            system_prompt=system_prompt or None,
            max_turns=changed(defaults.max_turns, max_turns),
            timeout_s=timeout_s or defaults.timeout_s,
            budget_micro_usd=changed(defaults.budget_micro_usd, micro_dollars(budget_usd)),
            network=PUBLIC if network is None else read_network(network),
            output_schema=changed_schema(None, output_schema),
        )
        check_budget(self._services.settings, run.model, run.budget_micro_usd)
        await self._services.runner.submit(run)
        with anyio.move_on_after(wait_s):
            run = await self._services.runner.wait(run.id)
        said = [*checked.warnings, *doubts(run.network, run.tools)]
        if not run.tools:
            said.append(EVERYTHING)
        return QuickRun(view_run(run), run.output, _message(run), said)


def _message(run: Run) -> str:
    if run.status.final:
        return f"The run ended as {run.status}."
    return f"The run is {run.status}; ask get_run how it goes."
