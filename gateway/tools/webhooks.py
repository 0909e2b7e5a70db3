"""Tools for webhooks: addresses that start a run with what is posted to them."""

from fastmcp.tools import tool

from gateway.domain.webhook import DAY_S, MissingPath, Scheme
from gateway.tools.arguments import (
    BudgetUsd,
    MaxTurns,
    Model,
    Name,
    OutputSchema,
    Prompt,
    TimeoutS,
    WebhookId,
    WebhookNetwork,
    WebhookToolNames,
)
from gateway.tools.hints import ADD, CHANGE, READ
from gateway.tools.services import Services
from gateway.tools.views import Deleted
from gateway.tools.webhook_arguments import (
    MayWait,
    Missing,
    OverlapS,
    RatePerMinute,
    SameBodyS,
    SigningSecret,
    ToleranceS,
    WebhookBudgetPerDayUsd,
    WebhookScheme,
)
from gateway.tools.webhook_views import WebhookAnswer, WebhookList, view_webhook
from gateway.webhooks.desk import Told
from gateway.webhooks.given import Given
from gateway.webhooks.remarks import tools_sentence


class WebhookTools:
    """create, list, get, update, delete, and how senders prove who they are."""

    def __init__(self, services: Services) -> None:
        self._store = services.store
        self._desk = services.webhooks.desk

    @tool(title="Create a webhook", annotations=ADD)
    async def create_webhook(
        self,
        name: Name,
        prompt_template: Prompt,
        tools: WebhookToolNames | None = None,
        *,
        scheme: WebhookScheme = Scheme.NONE,
        secret: SigningSecret | None = None,
        enabled: bool = True,
        model: Model | None = None,
        max_turns: MaxTurns | None = None,
        timeout_s: TimeoutS | None = None,
        budget_usd: BudgetUsd | None = None,
        budget_per_day_usd: WebhookBudgetPerDayUsd | None = None,
        network: WebhookNetwork | None = None,
        output_schema: OutputSchema | None = None,
        tolerance_s: ToleranceS = 300,
        missing: Missing = MissingPath.EMPTY,
        rate_per_minute: RatePerMinute = 120,
        same_body_s: SameBodyS = DAY_S,
        may_wait: MayWait = False,
    ) -> WebhookAnswer:
        """Make an address: whatever is posted to it starts a run with prompt_template.

        {{payload}} in the template is replaced by what was posted, {{payload.a.b}} by a part of
        it. What is posted comes from outside, so the run gets no tools but those named here. The
        address in the answer holds a secret; give it to the sender only.
        """
        given = Given(
            name=name,
            prompt_template=prompt_template,
            tools=tools,
            enabled=enabled,
            model=model,
            max_turns=max_turns,
            timeout_s=timeout_s,
            budget_usd=budget_usd,
            budget_per_day_usd=budget_per_day_usd,
            network=network,
            output_schema=output_schema,
            tolerance_s=tolerance_s,
            missing=missing,
            rate_per_minute=rate_per_minute,
            same_body_s=same_body_s,
            may_wait=may_wait,
        )
        return await self._answer(await self._desk.create(given, scheme, secret))

    @tool(title="List webhooks", annotations=READ)
    async def list_webhooks(self) -> WebhookList:
        """List all webhooks, without their addresses; get_webhook shows one address."""
        webhooks = await self._store.webhooks.all()
        return WebhookList([view_webhook(webhook, None) for webhook in webhooks])

    @tool(title="Get a webhook", annotations=READ)
    async def get_webhook(self, webhook_id: WebhookId) -> WebhookAnswer:
        """Show one webhook with its secret address and warnings about its tools."""
        webhook = await self._desk.get(webhook_id)
        return await self._answer(Told(webhook, self._desk.doubts(webhook)))

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
        budget_per_day_usd: WebhookBudgetPerDayUsd | None = None,
        network: WebhookNetwork | None = None,
        output_schema: OutputSchema | None = None,
        tolerance_s: ToleranceS | None = None,
        missing: Missing | None = None,
        rate_per_minute: RatePerMinute | None = None,
        same_body_s: SameBodyS | None = None,
        may_wait: MayWait | None = None,
    ) -> WebhookAnswer:
        """Change parts of a webhook; what is not given stays, and so does the address.

        enabled=true also ends a pause; another budget_per_day_usd ends that of a spent one.
        """
        given = Given(
            name=name,
            prompt_template=prompt_template,
            tools=tools,
            enabled=enabled,
            model=model,
            max_turns=max_turns,
            timeout_s=timeout_s,
            budget_usd=budget_usd,
            budget_per_day_usd=budget_per_day_usd,
            network=network,
            output_schema=output_schema,
            tolerance_s=tolerance_s,
            missing=missing,
            rate_per_minute=rate_per_minute,
            same_body_s=same_body_s,
            may_wait=may_wait,
        )
        return await self._answer(await self._desk.change(webhook_id, given))

    @tool(title="Set how senders of a webhook sign", annotations=CHANGE)
    async def set_webhook_scheme(
        self,
        webhook_id: WebhookId,
        scheme: WebhookScheme,
        *,
        secret: SigningSecret | None = None,
        overlap_s: OverlapS = DAY_S,
    ) -> WebhookAnswer:
        """Say how senders prove who they are; the same scheme again gives it a new secret.

        The secret until now goes on for overlap_s, so that senders can change theirs; with another
        scheme it ends at once.
        """
        told = await self._desk.sign_with(webhook_id, scheme, secret, overlap_s=overlap_s)
        return await self._answer(told)

    @tool(title="Delete a webhook", annotations=CHANGE)
    async def delete_webhook(self, webhook_id: WebhookId) -> Deleted:
        """Delete a webhook for good: its address stops working. Its runs are kept."""
        webhook = await self._desk.delete(webhook_id)
        return Deleted(webhook_id, f"Webhook {webhook.name!r} is deleted; its runs are kept.")

    async def _answer(self, told: Told) -> WebhookAnswer:
        webhook = told.webhook
        url = await self._desk.url(webhook.id)
        return WebhookAnswer(
            view_webhook(webhook, url), tools_sentence(webhook), list(told.doubts), told.secret
        )
