"""The form of a webhook: from its fields to what is given, and from a webhook to its fields."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from gateway.budgets.defaults import RunDefaults, UnknownPrice
from gateway.dashboard.fields import (
    JsonObject,
    NetworkWords,
    WrongFields,
    check_fields,
    check_fields_and_tools,
    json_text,
    money,
    network_text,
    number,
)
from gateway.domain.webhook import DAY_S, MissingPath, Scheme, Webhook
from gateway.jobs.network_words import InvalidNetwork, show_network
from gateway.jobs.output_schema import InvalidOutputSchema
from gateway.tool_names import InvalidToolName
from gateway.tools.arguments import (
    BudgetUsd,
    MaxTurns,
    Model,
    Name,
    Prompt,
    TimeoutS,
    WebhookToolNames,
)
from gateway.tools.webhook_arguments import (
    Missing,
    OverlapS,
    RatePerMinute,
    SameBodyS,
    SigningSecret,
    ToleranceS,
    WebhookBudgetPerDayUsd,
    WebhookScheme,
)
from gateway.webhooks.errors import SecretRefused
from gateway.webhooks.given import Given

SCHEMES = (
    (Scheme.STANDARD.value, "standard: Standard Webhooks"),
    (Scheme.GITHUB.value, "github"),
    (Scheme.STRIPE.value, "stripe"),
    (Scheme.SLACK.value, "slack"),
    (Scheme.BEARER.value, "bearer: Authorization with the secret"),
    (Scheme.NONE.value, "none: whoever knows the address"),
)
REFUSALS = (InvalidToolName, InvalidNetwork, InvalidOutputSchema, UnknownPrice, SecretRefused)
_FIELDS: Mapping[type[Exception], str] = {
    InvalidToolName: "others",
    InvalidNetwork: "network",
    InvalidOutputSchema: "output_schema",
    UnknownPrice: "model",
    SecretRefused: "secret",
}


def _or_none(text: object) -> object:
    return text or None


SecretField = Annotated[SigningSecret | None, BeforeValidator(_or_none)]


class WebhookForm(BaseModel):
    """What is typed into the form of a webhook."""

    name: Name
    prompt_template: Prompt
    tools: WebhookToolNames
    model: Model
    max_turns: MaxTurns
    timeout_s: TimeoutS
    budget_usd: BudgetUsd
    budget_per_day_usd: WebhookBudgetPerDayUsd
    network: NetworkWords
    output_schema: JsonObject
    tolerance_s: ToleranceS
    missing: Missing
    rate_per_minute: RatePerMinute
    same_body_s: SameBodyS
    may_wait: bool = False

    def given(self) -> Given:
        """Return it as the desk takes it."""
        return Given(**{name: getattr(self, name) for name in type(self).model_fields})


class SecretForm(BaseModel):
    """What is typed in to have senders sign."""

    scheme: WebhookScheme
    secret: SecretField = None
    overlap_s: OverlapS = DAY_S


def read_webhook(values: Mapping[str, str], tools: Sequence[str]) -> Given:
    """Return what the form says. Raises WrongFields."""
    return check_fields_and_tools(WebhookForm, values, tools).given()


def read_secret(values: Mapping[str, str]) -> SecretForm:
    """Return what the form says. Raises WrongFields."""
    return check_fields(SecretForm, values)


def wrong_field(error: Exception) -> WrongFields:
    """Return one of `REFUSALS` as what is wrong at its field."""
    return WrongFields({_FIELDS[type(error)]: str(error)})


def values_of_new(defaults: RunDefaults) -> dict[str, Any]:
    """Return the fields of the form for a new webhook."""
    return {
        "timeout_s": number(defaults.timeout_s),
        "max_turns": defaults.max_turns or 0,
        "budget_usd": money(defaults.budget_micro_usd),
        "budget_per_day_usd": "0",
        "tolerance_s": 300,
        "missing": MissingPath.EMPTY.value,
        "rate_per_minute": 120,
        "same_body_s": DAY_S,
        "scheme": Scheme.STANDARD.value,
    }


def values_of(webhook: Webhook) -> dict[str, Any]:
    """Return the fields of the form for a webhook as it is."""
    return {
        "name": webhook.name,
        "prompt_template": webhook.prompt_template,
        "model": webhook.model or "",
        "max_turns": webhook.max_turns or 0,
        "timeout_s": number(webhook.timeout_s),
        "budget_usd": money(webhook.budget_micro_usd),
        "budget_per_day_usd": money(webhook.day_budget_micro_usd),
        "network": network_text(show_network(webhook.network)),
        "output_schema": json_text(webhook.output_schema),
        "tolerance_s": webhook.tolerance_s,
        "missing": webhook.missing.value,
        "rate_per_minute": webhook.rate_per_minute,
        "same_body_s": webhook.same_body_s,
        "may_wait": "on" if webhook.may_wait else "",
    }
