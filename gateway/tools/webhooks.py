"""Tools for webhooks: addresses that start a run with what is posted to them."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace

from fastmcp.tools import tool

from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.webhook import Webhook
from gateway.store import DEFAULT_WEBHOOK_BASE_URL
from gateway.tools.arguments import (
    BudgetUsd,
    MaxTurns,
    Model,
    Name,
    Prompt,
    TimeoutS,
    WebhookId,
    WebhookToolNames,
)
from gateway.tools.hints import ADD, CHANGE, READ
from gateway.tools.names import Normalised, normalise
from gateway.tools.run_network import WebhookNetwork, doubts, network_for, read_network
from gateway.tools.sentences import Refused, shown
from gateway.tools.server_views import live_tools
from gateway.tools.services import Services
from gateway.tools.views import (
    Deleted,
    WebhookAnswer,
    WebhookList,
    changed,
    micro_dollars,
    view_webhook,
)

SECRET_BYTES = 32


class WebhookTools:
    """create, list, get, update, delete."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Create a webhook", annotations=ADD)
    async def create_webhook(
        self,
        name: Name,
        prompt_template: Prompt,
        tools: WebhookToolNames | None = None,
        *,
        enabled: bool = True,
        model: Model | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS = 30 * 60,
        budget_usd: BudgetUsd | None = None,
        network: WebhookNetwork | None = None,
    ) -> WebhookAnswer:
        """Make an address: whatever is posted to it starts a run with prompt_template.

        {{payload}} in the template is replaced by what was posted, {{payload.a.b}} by a part of
        it. What is posted comes from outside, so the run gets no tools but those named here. The
        address in the answer holds a secret; give it to the sender only.
        """
        checked = self._check(tools or ())
        now = utc_ms()
        webhook = Webhook(
            id=new_id("webhook"),
            name=name,
            prompt_template=prompt_template,
            tools=checked.names,
            servers=(),
            enabled=enabled,
            created_at=now,
            updated_at=now,
            model=model or None,
            max_turns=max_turns or None,
            timeout_s=timeout_s,
            budget_micro_usd=micro_dollars(budget_usd) or None,
            network=network_for(checked.names) if network is None else read_network(network),
        )
        await self._add(webhook)
        return await self._answer(webhook, checked)

    @tool(title="List webhooks", annotations=READ)
    async def list_webhooks(self) -> WebhookList:
        """List all webhooks, without their addresses; get_webhook shows one address."""
        webhooks = await self._services.store.webhooks.all()
        return WebhookList([view_webhook(webhook, None) for webhook in webhooks])

    @tool(title="Get a webhook", annotations=READ)
    async def get_webhook(self, webhook_id: WebhookId) -> WebhookAnswer:
        """Show one webhook with its secret address and warnings about its tools."""
        return await self._answer(await self._webhook(webhook_id))

    @tool(title="Change a webhook", annotations=CHANGE)
    async def update_webhook(
        self,
        webhook_id: WebhookId,
        *,
        name: Name | None = None,
        prompt_template: Prompt | None = None,
        tools: WebhookToolNames | None = None,
        enabled: bool | None = None,
        model: Model | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS | None = None,
        budget_usd: BudgetUsd | None = None,
        network: WebhookNetwork | None = None,
    ) -> WebhookAnswer:
        """Change parts of a webhook; what is not given stays, and so does the address."""
        webhook = await self._webhook(webhook_id)
        checked = self._check(webhook.tools if tools is None else tools)
        webhook = replace(
            webhook,
            name=name or webhook.name,
            prompt_template=prompt_template or webhook.prompt_template,
            tools=checked.names,
            enabled=webhook.enabled if enabled is None else enabled,
            model=changed(webhook.model, model),
            max_turns=changed(webhook.max_turns, max_turns),
            timeout_s=timeout_s or webhook.timeout_s,
            budget_micro_usd=changed(webhook.budget_micro_usd, micro_dollars(budget_usd)),
            network=webhook.network if network is None else read_network(network),
            updated_at=utc_ms(),
        )
        if not await self._services.store.webhooks.update(webhook):
            raise _no_webhook(webhook_id)
        return await self._answer(webhook, checked)

    @tool(title="Delete a webhook", annotations=CHANGE)
    async def delete_webhook(self, webhook_id: WebhookId) -> Deleted:
        """Delete a webhook for good: its address stops working. Its runs are kept."""
        webhook = await self._webhook(webhook_id)
        if not await self._services.store.webhooks.delete(webhook_id):
            raise _no_webhook(webhook_id)
        self._services.runner.forget_folder(webhook_id)
        return Deleted(webhook_id, f"Webhook {webhook.name!r} is deleted; its runs are kept.")

    async def _add(self, webhook: Webhook) -> None:
        secret, vault = secrets.token_urlsafe(SECRET_BYTES), self._services.vault
        async with vault.storing():
            await self._services.store.webhooks.add(
                webhook,
                secret_hash=hashlib.sha256(secret.encode("utf-8")).hexdigest(),
                sealed_secret=vault.seal(webhook.id, "secret", secret, table="webhooks"),
            )

    async def _webhook(self, webhook_id: str) -> Webhook:
        webhook = await self._services.store.webhooks.get(webhook_id)
        if webhook is None:
            raise _no_webhook(webhook_id)
        return webhook

    def _check(self, tools: Sequence[str]) -> Normalised:
        return normalise(tools, live_tools(self._services.supervisor.snapshots()))

    async def _answer(self, webhook: Webhook, checked: Normalised | None = None) -> WebhookAnswer:
        warnings = (checked or self._check(webhook.tools)).warnings
        warnings = [*warnings, *doubts(webhook.network, webhook.tools)]
        return WebhookAnswer(view_webhook(webhook, await self._url(webhook.id)), warnings)

    async def _url(self, webhook_id: str) -> str:
        sealed = await self._services.store.webhooks.sealed_secret(webhook_id)
        if sealed is None:
            raise _no_webhook(webhook_id)
        secret = self._services.vault.unseal(webhook_id, "secret", sealed, table="webhooks")
        return f"{await self._base_url()}/webhook/{secret}"

    async def _base_url(self) -> str:
        """Return the origin that senders reach: the changed settings row, else our own address."""
        row = await self._services.store.settings.get("webhook_base_url")
        if row != DEFAULT_WEBHOOK_BASE_URL:
            return str(row)
        return self._services.settings.public_url or self._services.base_url


def _no_webhook(webhook_id: str) -> Refused:
    return Refused(f"There is no webhook {shown(webhook_id)}; list_webhooks shows the ids.")
