"""Quick runs: a prompt now, without a job; the same by page, by tool and by command."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.budgets.defaults import check_budget, run_defaults
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.network import PUBLIC
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.domain.units import changed, micro_dollars
from gateway.jobs.network_words import doubts, read_network
from gateway.jobs.output_schema import changed_schema
from gateway.jobs.runner import Runner
from gateway.settings import Settings
from gateway.tool_names import Live, check_tools

EVERYTHING = (
    "It names no tools, so it has the default tools and every tool of its servers; name tools to "
    "narrow it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants to be run now; None: the gateway's default."""

    prompt: str
    tools: Sequence[str] = ()
    """Empty: the default tools and every tool of its servers."""
    servers: Sequence[str] = ()
    model: str | None = None
    system_prompt: str | None = None
    max_turns: int | None = None
    timeout_s: float | None = None
    budget_usd: float | None = None
    network: str | Sequence[str] | None = None
    output_schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A run that is queued, and what is doubtful about its tools."""

    run: Run
    doubts: tuple[str, ...]


class QuickRuns:
    """Starts them."""

    def __init__(self, settings: Settings, runner: Runner, live: Callable[[], Live]) -> None:
        """`live` returns the servers with the tools that they show now."""
        self._settings = settings
        self._runner = runner
        self._live = live

    async def start(self, asked: Asked) -> Started:
        """Queue a run before all others.

        Raises InvalidToolName, InvalidServer, UnknownPrice, JobError and StoreError.
        """
        checked = check_tools(asked.tools, asked.servers, self._live())
        defaults = run_defaults(self._settings)
        run = Run(
            id=new_id("run"),
            trigger=Trigger.QUICK,
            status=RunStatus.QUEUED,
            prompt=asked.prompt,
            tools=checked.names,
            servers=tuple(asked.servers),
            created_at=utc_ms(),
            model=asked.model or None,
            system_prompt=asked.system_prompt or None,
            max_turns=changed(defaults.max_turns, asked.max_turns),
            timeout_s=asked.timeout_s or defaults.timeout_s,
            budget_micro_usd=changed(defaults.budget_micro_usd, micro_dollars(asked.budget_usd)),
            network=PUBLIC if asked.network is None else read_network(asked.network),
            output_schema=changed_schema(None, asked.output_schema),
        )
        check_budget(self._settings, run.model, run.budget_micro_usd)
        run = await self._runner.submit(run)
        said = [*checked.warnings, *doubts(run.network, run.tools)]
        return Started(run, tuple(said if run.tools else [*said, EVERYTHING]))
