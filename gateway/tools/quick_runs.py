"""The tool for a quick run: a prompt now, without a job."""

from dataclasses import dataclass
from typing import Annotated, Any

import anyio
from fastmcp.tools import tool
from pydantic import Field

from gateway.domain.run import Run
from gateway.jobs.output_schema import shown_json
from gateway.jobs.quick_runs import Asked, QuickRuns
from gateway.tool_names import live_tools
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
from gateway.tools.services import Services
from gateway.tools.views import RunView, view_run

MAX_WAIT_S = 50.0
"""Most clients give a call up after a minute."""

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
    structured: Any
    """The answer that fits output_schema, if it has one."""
    message: str
    tool_warnings: list[str]


class QuickRunTools:
    """run_prompt."""

    def __init__(self, services: Services) -> None:
        self._runner = services.runner
        self._quick_runs = QuickRuns(
            services.settings,
            services.runner,
            lambda: live_tools(services.supervisor.snapshots()),
        )

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
        asked = Asked(
            prompt=prompt,
            tools=tools or (),
            servers=servers or (),
            model=model,
            system_prompt=system_prompt,
            max_turns=max_turns,
            timeout_s=timeout_s,
            budget_usd=budget_usd,
            network=network,
            output_schema=output_schema,
        )
        started = await self._quick_runs.start(asked)
        run = started.run
        with anyio.move_on_after(wait_s):
            run = await self._runner.wait(run.id)
        return QuickRun(
            view_run(run),
            run.output,
            shown_json(run.structured),
            _message(run),
            list(started.doubts),
        )


def _message(run: Run) -> str:
    if run.status.final:
        return f"The run ended as {run.status}."
    return f"The run is {run.status}; ask get_run how it goes."
