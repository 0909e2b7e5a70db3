"""The form of a quick run: from its fields to what is asked, and from an earlier run to fields."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from gateway.budgets.defaults import RunDefaults, UnknownPrice
from gateway.dashboard.fields import (
    JsonObject,
    NetworkWords,
    WrongFields,
    check_fields_and_tools,
    json_text,
    money,
    network_text,
    number,
    split_words,
)
from gateway.domain.run import Run
from gateway.jobs.network_words import InvalidNetwork, show_network
from gateway.jobs.output_schema import InvalidOutputSchema
from gateway.jobs.quick_runs import Asked
from gateway.tool_names import InvalidToolName
from gateway.tools.arguments import (
    BudgetUsd,
    MaxTurns,
    Model,
    Prompt,
    ServerNames,
    SystemPrompt,
    TimeoutS,
    ToolNames,
)
from supervisor.errors import InvalidServer

ALL, SOME = "all", "some"
REFUSALS = (InvalidToolName, InvalidServer, InvalidNetwork, InvalidOutputSchema, UnknownPrice)
_FIELDS: Mapping[type[Exception], str] = {
    InvalidToolName: "others",
    InvalidServer: "servers",
    InvalidNetwork: "network",
    InvalidOutputSchema: "output_schema",
    UnknownPrice: "model",
}


class QuickRunForm(BaseModel):
    """What is typed into the form."""

    prompt: Prompt
    tools: ToolNames
    servers: Annotated[ServerNames, BeforeValidator(split_words)]
    model: Model = ""
    system_prompt: SystemPrompt = ""
    max_turns: MaxTurns
    timeout_s: TimeoutS
    budget_usd: BudgetUsd
    network: NetworkWords = None
    output_schema: JsonObject


def read_asked(values: Mapping[str, str], tools: Sequence[str]) -> Asked:
    """Return what the form asks for. Raises WrongFields."""
    if values.get("which") == ALL:
        if tools:
            sentence = "All tools are chosen above; choose only those below, or untick them."
            raise WrongFields({"others": sentence})
    elif not tools:
        raise WrongFields({"others": "Choose a tool, or all of them."})
    form = check_fields_and_tools(QuickRunForm, values, tools)
    return Asked(**{name: getattr(form, name) for name in QuickRunForm.model_fields})


def wrong_field(error: Exception) -> WrongFields:
    """Return one of `REFUSALS` as what is wrong at its field."""
    return WrongFields({_FIELDS[type(error)]: str(error)})


def values_of_new(defaults: RunDefaults) -> dict[str, Any]:
    """Return the fields of an empty form."""
    return {
        "which": ALL,
        "timeout_s": number(defaults.timeout_s),
        "max_turns": defaults.max_turns or 0,
        "budget_usd": money(defaults.budget_micro_usd),
    }


def values_of(run: Run) -> dict[str, Any]:
    """Return the fields that ask for the same as an earlier run."""
    return {
        "prompt": run.prompt,
        "which": SOME if run.tools else ALL,
        "servers": " ".join(run.servers),
        "model": run.model or "",
        "system_prompt": run.system_prompt or "",
        "max_turns": run.max_turns or 0,
        "timeout_s": number(run.timeout_s),
        "budget_usd": money(run.budget_micro_usd),
        "network": network_text(show_network(run.network)),
        "output_schema": json_text(run.output_schema),
    }
