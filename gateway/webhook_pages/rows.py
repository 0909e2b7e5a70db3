"""What the pages show of webhooks and deliveries: values turned into text. Pure."""

from collections import Counter
from dataclasses import dataclass

from gateway.dashboard.views import money
from gateway.domain.delivery import Delivery, Outcome
from gateway.domain.units import instant, size
from gateway.domain.webhook import Scheme, Webhook
from gateway.webhooks.reasons import REASONS, TAKEN
from gateway.webhooks.remarks import state_of

RESENDABLE = frozenset({Outcome.ACCEPTED, Outcome.MISSING, Outcome.QUEUE_FULL})
"""Outcomes of deliveries whose bodies are kept for a while."""
_TONES = {"on": "good", "off": "quiet", "paused": "bad"}


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """One webhook in the list, and at the head of its page."""

    id: str
    name: str
    state: str
    tone: str
    scheme: str
    is_open: bool
    """Whoever knows the address may call."""
    tools: str
    accepted: int
    refused: int
    last: str
    cost: str


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery in the log."""

    id: str
    at: str
    outcome: str
    tone: str
    reason: str
    status: int
    origin: str
    sender: str
    size: str
    run_id: str | None
    may_go_again: bool


def webhook_row(
    webhook: Webhook, today: Counter[Outcome], cost_micro_usd: int, now: int
) -> WebhookRow:
    """Return the row of a webhook; `today` counts its deliveries, the cost is today's."""
    state = state_of(webhook, now)
    taken = sum(count for outcome, count in today.items() if outcome in TAKEN)
    return WebhookRow(
        id=webhook.id,
        name=webhook.name,
        state=state,
        tone=_TONES[state],
        scheme=webhook.scheme.value,
        is_open=webhook.scheme is Scheme.NONE,
        tools=", ".join(webhook.tools) or "none",
        accepted=taken,
        refused=today.total() - taken,
        last="never" if webhook.last_delivery_at is None else instant(webhook.last_delivery_at),
        cost=money(cost_micro_usd),
    )


def delivery_row(delivery: Delivery) -> DeliveryRow:
    """Return the row of a delivery."""
    return DeliveryRow(
        id=delivery.id,
        at=instant(delivery.received_at),
        outcome=delivery.outcome.value.replace("_", " "),
        tone="good" if delivery.outcome in TAKEN else "bad",
        reason=REASONS[delivery.outcome],
        status=delivery.status,
        origin=delivery.origin.value,
        sender=delivery.sender,
        size=size(delivery.size),
        run_id=delivery.run_id,
        may_go_again=delivery.outcome in RESENDABLE,
    )


def facts_of(webhook: Webhook, row: WebhookRow) -> list[tuple[str, str]]:
    """Return what stands at the head of a webhook's page."""
    budget, per_day = webhook.budget_micro_usd, webhook.day_budget_micro_usd
    return [
        ("Scheme", row.scheme),
        ("Today", f"{row.accepted} accepted, {row.refused} refused"),
        ("Accepted in all", f"{webhook.deliveries:,}"),
        ("Last accepted", row.last),
        ("Cost today", row.cost),
        ("Budget of a run", "none" if budget is None else money(budget)),
        ("Budget of a day", "none" if per_day is None else money(per_day)),
        ("Time for a run", f"{webhook.timeout_s:g} s"),
        ("Model", webhook.model or "the default"),
        ("Deliveries a minute", str(webhook.rate_per_minute or "any number")),
    ]
