"""What somebody gives for a webhook, and the webhook that comes of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gateway.domain.units import changed, micro_dollars
from gateway.domain.webhook import MissingPath, Webhook
from gateway.jobs.network_words import read_network
from gateway.jobs.output_schema import changed_schema

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a person may say of a webhook; None: not given."""

    name: str | None = None
    prompt_template: str | None = None
    tools: Sequence[str] | None = None
    enabled: bool | None = None
    model: str | None = None
    max_turns: int | None = None
    timeout_s: float | None = None
    budget_usd: float | None = None
    budget_per_day_usd: float | None = None
    network: str | Sequence[str] | None = None
    output_schema: Mapping[str, Any] | None = None
    tolerance_s: int | None = None
    missing: MissingPath | None = None
    rate_per_minute: int | None = None
    same_body_s: int | None = None
    may_wait: bool | None = None


def apply(old: Webhook, given: Given, now: int) -> Webhook:
    """Return the webhook as `given` changes it; an empty text or 0 clears what is optional.

    Switching it on ends a pause, and another budget of the day the pause for that. Its tools are
    another's business, for they are checked against what servers show. Raises InvalidNetwork,
    InvalidOutputSchema.
    """
    per_day = changed(old.day_budget_micro_usd, micro_dollars(given.budget_per_day_usd))
    goes_on = given.enabled or per_day != old.day_budget_micro_usd
    return replace(
        old,
        name=given.name or old.name,
        prompt_template=given.prompt_template or old.prompt_template,
        enabled=_given(given.enabled, old.enabled),
        paused_at=None if given.enabled else old.paused_at,
        paused_until=None if goes_on else old.paused_until,
        model=changed(old.model, given.model),
        max_turns=changed(old.max_turns, given.max_turns),
        timeout_s=given.timeout_s or old.timeout_s,
        budget_micro_usd=changed(old.budget_micro_usd, micro_dollars(given.budget_usd)),
        day_budget_micro_usd=per_day,
        network=old.network if given.network is None else read_network(given.network),
        output_schema=changed_schema(old.output_schema, given.output_schema),
        tolerance_s=_given(given.tolerance_s, old.tolerance_s),
        missing=_given(given.missing, old.missing),
        rate_per_minute=_given(given.rate_per_minute, old.rate_per_minute),
        same_body_s=_given(given.same_body_s, old.same_body_s),
        may_wait=_given(given.may_wait, old.may_wait),
        updated_at=now,
    )


def _given(new: T | None, old: T) -> T:
    return old if new is None else new
