"""What tools answer about one run: what it was asked, what it answered, what it had and did."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.domain.run import Run
from gateway.domain.run_record import RunRecord, ToolCall
from gateway.jobs.network_words import show_network
from gateway.jobs.output_schema import shown_json
from gateway.tools.run_record_views import AttemptView, CallView, view_attempt, view_calls
from gateway.tools.views import RunView, view_run


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with what it was asked and what it answered."""

    run: RunView
    prompt: str
    output: str | None
    structured: Any
    """The answer that fits its output_schema, if it has one."""
    model: str | None
    tools: list[str]
    servers: list[str]
    network: str | list[str]
    output_schema: dict[str, Any] | None
    refused_hosts: list[str]
    """The last ones that it asked for and its network does not grant."""
    session_id: str | None
    attempts: list[AttemptView]
    """Those that had their tools, oldest first."""
    calls: list[CallView]
    """Of tools, the first ones; each attempt says how many there were."""


def view_run_detail(run: Run, records: Iterable[RunRecord], calls: Iterable[ToolCall]) -> RunDetail:
    """Return a run with all that is kept of it but its transcript."""
    return RunDetail(
        run=view_run(run),
        prompt=run.prompt,
        output=run.output,
        structured=shown_json(run.structured),
        model=run.model,
        tools=list(run.tools),
        servers=list(run.servers),
        network=show_network(run.network),
        output_schema=shown_json(run.output_schema),
        refused_hosts=list(run.refused_hosts),
        session_id=run.session_id,
        attempts=[view_attempt(record) for record in records],
        calls=view_calls(calls),
    )
