"""What tools answer about one run: what it was asked, what it answered, what it had and did."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.domain.budget import ModelCost
from gateway.domain.run import Run
from gateway.domain.run_record import RunRecord, ToolCall
from gateway.domain.units import dollars
from gateway.jobs.network_words import show_network
from gateway.jobs.output_schema import shown_json
from gateway.tools.run_file_views import RunFileList
from gateway.tools.run_record_views import AttemptView, CallView, view_attempt, view_calls
from gateway.tools.views import RunView, view_run


@dataclass(frozen=True, slots=True)
class ModelCostView:
    """What one model cost a run."""

    model: str
    cost_usd: float | None
    """None: its price is not known."""
    requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int


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
    models: list[ModelCostView]
    """What each model cost, the dearest first."""
    files: RunFileList
    """That it wrote or changed in its work folder, the first ones."""


def view_run_detail(
    run: Run,
    records: Iterable[RunRecord],
    calls: Iterable[ToolCall],
    costs: Iterable[ModelCost],
    files: RunFileList,
) -> RunDetail:
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
        models=[view_model_cost(cost) for cost in costs],
        files=files,
    )


def view_model_cost(cost: ModelCost) -> ModelCostView:
    """Return what a model cost as tools show it."""
    tokens = cost.tokens
    return ModelCostView(
        model=cost.model,
        cost_usd=None if tokens.unpriced else dollars(tokens.cost_micro_usd),
        requests=tokens.requests,
        input_tokens=tokens.input_tokens,
        output_tokens=tokens.output_tokens,
        cache_read_tokens=tokens.cache_read_tokens,
        cache_write_tokens=tokens.cache_write_tokens,
    )
