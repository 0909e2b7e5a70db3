"""Tools for the deliveries to webhooks: their log, sending one again, trying a webhook out."""

import json
from typing import Any

from fastmcp.tools import tool

from gateway.domain.clock import utc_ms
from gateway.domain.delivery import DeliveryOrigin
from gateway.domain.ids import new_id
from gateway.relay.http import Headers
from gateway.tools.arguments import WebhookId
from gateway.tools.hints import ADD, READ
from gateway.tools.sentences import Refused, shown
from gateway.tools.services import Services
from gateway.tools.views import Triggered
from gateway.tools.webhook_arguments import DeliveryId, Limit, Payload, StartRun
from gateway.tools.webhook_views import DeliveryList, TestedWebhook, view_delivery
from gateway.tools.webhooks import no_webhook
from gateway.webhooks.hooks import Hook
from gateway.webhooks.pipeline import Posted, Settled
from gateway.webhooks.refusal import Refused as Undelivered
from gateway.webhooks.schemes import signing_headers

TESTER = "test_webhook"
REPLAYER = "replay_webhook_delivery"


class DeliveryTools:
    """list, replay, test."""

    def __init__(self, services: Services) -> None:
        self._store = services.store
        self._webhooks = services.webhooks

    @tool(title="List deliveries to a webhook", annotations=READ)
    async def list_webhook_deliveries(
        self, webhook_id: WebhookId, limit: Limit = 50
    ) -> DeliveryList:
        """List what was posted to a webhook and what became of it, refused or not."""
        self._hook(webhook_id)
        found = await self._store.deliveries.newest(webhook_id, limit)
        return DeliveryList([view_delivery(each) for each in found])

    @tool(title="Send a delivery again", annotations=ADD)
    async def replay_webhook_delivery(self, delivery_id: DeliveryId) -> Triggered:
        """Start another run from the body of an earlier delivery, by the webhook as it is now."""
        kept = await self._store.deliveries.get(delivery_id)
        if kept is None:
            raise Refused(
                f"There is no delivery {shown(delivery_id)}; list_webhook_deliveries shows the ids."
            )
        if kept.body is None:
            raise Refused(
                f"The body of delivery {shown(delivery_id)} is not kept; only those of the newest "
                "accepted deliveries are."
            )
        webhook = self._hook(kept.webhook_id).webhook
        try:
            settled = await self._webhooks.pipeline.replay(webhook, kept, REPLAYER)
        except Undelivered as refusal:
            raise Refused(str(refusal)) from refusal
        assert settled.run_id is not None
        return Triggered(settled.run_id, "queued", f"Run {settled.run_id} is queued.")

    @tool(title="Try a webhook out", annotations=ADD)
    async def test_webhook(
        self, webhook_id: WebhookId, payload: Payload = None, *, start_run: StartRun = False
    ) -> TestedWebhook:
        """Sign a delivery as the webhook's sender would, and show what becomes of it.

        Without start_run it shows the prompt and starts nothing; with it a run starts, and costs.
        """
        posted = _delivery(self._hook(webhook_id), {} if payload is None else payload)
        try:
            if start_run:
                return _started(await self._webhooks.pipeline.settle(posted))
            prompt = await self._webhooks.pipeline.rehearse(posted)
        except Undelivered as refusal:
            message = "The delivery is refused."
            return TestedWebhook(refusal.status, {"error": str(refusal)}, None, message)
        message = "A delivery like this starts a run with this prompt; this one started none."
        return TestedWebhook(202, {}, prompt, message)

    def _hook(self, webhook_id: str) -> Hook:
        hook = self._webhooks.hooks.get(webhook_id)
        if hook is None:
            raise no_webhook(webhook_id)
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


def _started(settled: Settled) -> TestedWebhook:
    message = f"Run {settled.run_id} is queued." if settled.run_id else "It started no run."
    return TestedWebhook(settled.status, settled.answer, None, message)
