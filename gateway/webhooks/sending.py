"""Deliveries of our own: trials, signed as the sender would sign them, and earlier ones again."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gateway.budgets.words import day_is_spent
from gateway.domain.clock import utc_ms
from gateway.domain.delivery import Delivery, DeliveryOrigin, Outcome
from gateway.domain.ids import new_id
from gateway.domain.webhook import Webhook
from gateway.jobs.day_budgets import DayBudgets
from gateway.relay.http import Headers
from gateway.store import Store
from gateway.webhooks.errors import NoSuchDelivery, NoSuchWebhook
from gateway.webhooks.hooks import Hook, Hooks
from gateway.webhooks.pipeline import Pipeline, Posted, Settled
from gateway.webhooks.refusal import Refused
from gateway.webhooks.remarks import state_of
from gateway.webhooks.schemes import signing_headers

TESTER = "test_webhook"
REPLAYER = "replay_webhook_delivery"


_STARTS = "a delivery like this starts a run with this prompt; this one started none."
_PREVIEWS = {
    "on": (202, f"A{_STARTS[1:]}"),
    "off": (404, f"The webhook is switched off; on, {_STARTS}"),
    "paused": (503, f"The webhook is paused; when it takes deliveries again, {_STARTS}"),
}
"""What a sender would get now, by the state of the webhook."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a trial came to."""

    status: int
    """The HTTP status that a sender would get."""
    answer: dict[str, Any]
    prompt: str | None
    """What the run would be asked; None when the delivery was refused or started a run."""
    message: str
    run_id: str | None = None


class Sending:
    """Sends to webhooks without the network.

    The owner may also try a webhook that is switched off or paused after bad signatures; a run
    that the day's budget would end before it starts is refused.
    """

    def __init__(self, store: Store, hooks: Hooks, pipeline: Pipeline, days: DayBudgets) -> None:
        self._store = store
        self._hooks = hooks
        self._pipeline = pipeline
        self._days = days

    async def log(
        self, webhook_id: str, limit: int, before: str | None = None
    ) -> tuple[Delivery, ...]:
        """Return deliveries, the newest first, from the one after `before` on.

        Raises NoSuchWebhook and StoreError.
        """
        self._hook(webhook_id)
        return await self._store.deliveries.newest(webhook_id, limit, before)

    async def replay(self, delivery_id: str) -> str:
        """Start a run from the body of an earlier delivery; return its id.

        Raises NoSuchDelivery, NoSuchWebhook, Refused and StoreError.
        """
        kept = await self._store.deliveries.get(delivery_id)
        shown = delivery_id[:60]
        if kept is None:
            raise NoSuchDelivery(
                f"There is no delivery {shown!r}; list_webhook_deliveries shows the ids."
            )
        if kept.body is None:
            raise NoSuchDelivery(
                f"The body of delivery {shown!r} is not kept; only those of the newest accepted "
                "deliveries are."
            )
        webhook = self._hook(kept.webhook_id).webhook
        await self._check_budget(webhook)
        settled = await self._pipeline.replay(webhook, kept, REPLAYER)
        assert settled.run_id is not None
        return settled.run_id

    async def try_out(self, webhook_id: str, payload: Any, *, start_run: bool) -> Tried:
        """Deliver a payload, a text as it is and all else as JSON; without a run unless asked.

        Raises NoSuchWebhook and StoreError.
        """
        posted = _delivery(self._hook(webhook_id), payload)
        try:
            if start_run:
                await self._check_budget(posted.hook.webhook)
                return _started(await self._pipeline.settle(posted))
            prompt = await self._pipeline.rehearse(posted)
        except Refused as refusal:
            answer = {"error": str(refusal)}
            return Tried(refusal.status, answer, None, "The delivery is refused.")
        status, message = _PREVIEWS[state_of(posted.hook.webhook, self._days.now_ms())]
        return Tried(status, {}, prompt, message)

    async def _check_budget(self, webhook: Webhook) -> None:
        """Accept a webhook whose run could start today. Raises Refused and StoreError."""
        budget = await self._days.spent_for(webhook_id=webhook.id)
        if budget is not None:
            sentence = f"No run is started: {day_is_spent(budget)}."
            wait_s = (budget.day.ends_at - self._days.now_ms()) / 1000
            status = HTTPStatus.SERVICE_UNAVAILABLE
            raise Refused(Outcome.BUDGET, status, sentence, retry_after_s=wait_s)

    def _hook(self, webhook_id: str) -> Hook:
        hook = self._hooks.get(webhook_id)
        if hook is None:
            raise NoSuchWebhook(webhook_id)
        return hook


def _delivery(hook: Hook, payload: Any) -> Posted:
    """Return a delivery that its sender signed now."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    body, now = text.encode("utf-8", "replace"), utc_ms()
    secrets = hook.valid_secrets(now)
    kind = "text/plain" if isinstance(payload, str) else "application/json"
    fields = {"content-type": kind} | signing_headers(
        hook.webhook.scheme,
        secrets[0] if secrets else "",
        body,
        delivery_id=new_id("test"),
        now_s=now // 1000,
    )
    pairs = [(name.encode("ascii"), value.encode("ascii")) for name, value in fields.items()]
    headers = Headers({"headers": pairs})
    return Posted(hook, headers, body, TESTER, TESTER, DeliveryOrigin.TEST)


def _started(settled: Settled) -> Tried:
    message = f"Run {settled.run_id} is queued." if settled.run_id else "It started no run."
    return Tried(settled.status, settled.answer, None, message, settled.run_id)
