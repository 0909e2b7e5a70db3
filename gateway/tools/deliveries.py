"""Tools for the deliveries to webhooks: their log, sending one again, trying a webhook out."""

from typing import Any

from fastmcp.tools import tool

from gateway.tools.arguments import WebhookId
from gateway.tools.hints import ADD, READ
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from gateway.tools.views import Triggered
from gateway.tools.webhook_arguments import DeliveryId, Limit, Payload, StartRun
from gateway.tools.webhook_views import DeliveryList, TestedWebhook, view_delivery
from gateway.webhooks.refusal import Refused as Undelivered


class DeliveryTools:
    """list, replay, test."""

    def __init__(self, services: Services) -> None:
        self._sending = services.webhooks.sending

    @tool(title="List deliveries to a webhook", annotations=READ)
    async def list_webhook_deliveries(
        self, webhook_id: WebhookId, limit: Limit = 50
    ) -> DeliveryList:
        """List what was posted to a webhook and what became of it, refused or not."""
        found = await self._sending.log(webhook_id, limit)
        return DeliveryList([view_delivery(each) for each in found])

    @tool(title="Send a delivery again", annotations=ADD)
    async def replay_webhook_delivery(self, delivery_id: DeliveryId) -> Triggered:
        """Start another run from the body of an earlier delivery, by the webhook as it is now."""
        try:
            run_id = await self._sending.replay(delivery_id)
        except Undelivered as refusal:
            raise Refused(str(refusal)) from refusal
        return Triggered(run_id, "queued", f"Run {run_id} is queued.")

    @tool(title="Try a webhook out", annotations=ADD)
    async def test_webhook(
        self, webhook_id: WebhookId, payload: Payload = None, *, start_run: StartRun = False
    ) -> TestedWebhook:
        """Sign a delivery as the webhook's sender would, and show what becomes of it.

        Without start_run it shows the prompt and starts nothing; with it a run starts, and costs.
        """
        sent: Any = {} if payload is None else payload
        tried = await self._sending.try_out(webhook_id, sent, start_run=start_run)
        return TestedWebhook(tried.status, tried.answer, tried.prompt, tried.message)
