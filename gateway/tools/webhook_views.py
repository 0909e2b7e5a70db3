"""What tools answer about webhooks: times as ISO text in UTC, money in dollars."""

from dataclasses import dataclass
from typing import Any

from gateway.domain.clock import utc_ms
from gateway.domain.delivery import Delivery
from gateway.domain.units import dollars, iso
from gateway.domain.webhook import Webhook
from gateway.jobs.network_words import show_network
from gateway.jobs.output_schema import shown_json
from gateway.tools.views import iso_or_none
from gateway.webhooks.reasons import REASONS
from gateway.webhooks.remarks import state_of, warnings_of


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A stored webhook."""

    id: str
    name: str
    url: str | None
    """Where to POST; holds the secret, so lists leave it out."""
    scheme: str
    warnings: list[str]
    """What its owner should know: an open scheme, a pause, dangerous tools."""
    prompt_template: str
    tools: list[str]
    """These and no others; empty means none."""
    servers: list[str]
    enabled: bool
    state: str
    """on, off or paused."""
    paused_at: str | None
    failures: int
    """Of its last runs, one after the other."""
    model: str | None
    max_turns: int | None
    timeout_s: float
    paused_until: str | None
    """When the day ends whose budget is spent."""
    budget_usd: float | None
    budget_per_day_usd: float | None
    network: str | list[str]
    output_schema: dict[str, Any] | None
    tolerance_s: int
    missing: str
    rate_per_minute: int
    same_body_s: int
    may_wait: bool
    deliveries: int
    last_delivery_at: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class WebhookList:
    """Every webhook, oldest first."""

    webhooks: list[WebhookView]


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """A webhook, which tools its runs have, and what is doubtful about them."""

    webhook: WebhookView
    message: str
    tool_warnings: list[str]
    secret: str | None = None
    """What senders sign with; in this answer and in no later one."""


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One delivery to a webhook."""

    id: str
    received_at: str
    origin: str
    outcome: str
    reason: str
    """Why, in words."""
    status: int
    sender: str
    size: int
    run_id: str | None


@dataclass(frozen=True, slots=True)
class DeliveryList:
    """Deliveries, newest first."""

    deliveries: list[DeliveryView]


@dataclass(frozen=True, slots=True)
class TestedWebhook:
    """What a test delivery came to."""

    status: int
    """The HTTP status that a sender would get."""
    answer: dict[str, Any]
    prompt: str | None
    """What the run would be asked; None when the delivery was refused or started a run."""
    message: str


def view_webhook(webhook: Webhook, url: str | None) -> WebhookView:
    """Return a webhook as tools show it."""
    now = utc_ms()
    return WebhookView(
        id=webhook.id,
        name=webhook.name,
        url=url,
        scheme=webhook.scheme.value,
        warnings=warnings_of(webhook, now),
        prompt_template=webhook.prompt_template,
        tools=list(webhook.tools),
        servers=list(webhook.servers),
        enabled=webhook.enabled,
        state=state_of(webhook, now),
        paused_at=iso_or_none(webhook.paused_at),
        failures=webhook.failures,
        model=webhook.model,
        max_turns=webhook.max_turns,
        timeout_s=webhook.timeout_s,
        paused_until=iso_or_none(webhook.paused_until),
        budget_usd=dollars(webhook.budget_micro_usd),
        budget_per_day_usd=dollars(webhook.day_budget_micro_usd),
        network=show_network(webhook.network),
        output_schema=shown_json(webhook.output_schema),
        tolerance_s=webhook.tolerance_s,
        missing=webhook.missing.value,
        rate_per_minute=webhook.rate_per_minute,
        same_body_s=webhook.same_body_s,
        may_wait=webhook.may_wait,
        deliveries=webhook.deliveries,
        last_delivery_at=iso_or_none(webhook.last_delivery_at),
        created_at=iso(webhook.created_at),
        updated_at=iso(webhook.updated_at),
    )


def view_delivery(delivery: Delivery) -> DeliveryView:
    """Return a delivery as tools list it."""
    return DeliveryView(
        id=delivery.id,
        received_at=iso(delivery.received_at),
        origin=delivery.origin.value,
        outcome=delivery.outcome.value,
        reason=REASONS[delivery.outcome],
        status=delivery.status,
        sender=delivery.sender,
        size=delivery.size,
        run_id=delivery.run_id,
    )
