"""Deliveries of our own: trials, signed as the sender would sign them, and earlier ones again."""

import json
from dataclasses import dataclass
from typing import Any

from gateway.domain.clock import utc_ms
from gateway.domain.delivery import Delivery, DeliveryOrigin
from gateway.domain.ids import new_id
from gateway.relay.http import Headers
from gateway.store import Store
from gateway.webhooks.errors import NoSuchDelivery, NoSuchWebhook
from gateway.webhooks.hooks import Hook, Hooks
from gateway.webhooks.pipeline import Pipeline, Posted, Settled
from gateway.webhooks.refusal import Refused
from gateway.webhooks.schemes import signing_headers

TESTER = "test_webhook"
REPLAYER = "replay_webhook_delivery"


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
    """Sends to webhooks without the network."""

    def __init__(self, store: Store, hooks: Hooks, pipeline: Pipeline) -> None:
        self._store = store
        self._hooks = hooks
        self._pipeline = pipeline

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
                return _started(await self._pipeline.settle(posted))
            prompt = await self._pipeline.rehearse(posted)
        except Refused as refusal:
            answer = {"error": str(refusal)}
            return Tried(refusal.status, answer, None, "The delivery is refused.")
        message = "A delivery like this starts a run with this prompt; this one started none."
        return Tried(202, {}, prompt, message)

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
