"""Tools for webhooks: addresses that start a run with what is posted to them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from fastmcp.tools import tool

from gateway.budgets.defaults import check_budget, run_defaults
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.units import changed, micro_dollars
from gateway.domain.webhook import DAY_S, MissingPath, Scheme, Webhook
from gateway.jobs.network_words import doubts, network_for, read_network
from gateway.jobs.output_schema import changed_schema
from gateway.tool_names import Normalised, live_tools, normalise
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
from gateway.tools.sentences import Refused, shown
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
    WebhookScheme,
)
from gateway.tools.webhook_views import (
    WebhookAnswer,
    WebhookList,
    tools_sentence,
    view_webhook,
)
from gateway.webhooks.schemes import UnusableSecret, check_secret, new_secret

T = TypeVar("T")


class WebhookTools:
    """create, list, get, update, delete, and how senders prove who they are."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._hooks = services.webhooks.hooks

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
        checked = self._check(tools or ())
        signing = _signing_secret(scheme, secret)
        now, defaults = utc_ms(), run_defaults(self._services.settings)
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
            max_turns=changed(defaults.max_turns, max_turns),
            timeout_s=timeout_s or defaults.timeout_s,
            budget_micro_usd=changed(defaults.budget_micro_usd, micro_dollars(budget_usd)),
            network=network_for(checked.names) if network is None else read_network(network),
            output_schema=changed_schema(None, output_schema),
            scheme=scheme,
            tolerance_s=tolerance_s,
            missing=missing,
            rate_per_minute=rate_per_minute,
            same_body_s=same_body_s,
            may_wait=may_wait,
        )
        check_budget(self._services.settings, webhook.model, webhook.budget_micro_usd)
        await self._hooks.add(webhook, signing)
        return await self._answer(webhook, checked, secret=None if secret else signing)

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
        output_schema: OutputSchema | None = None,
        tolerance_s: ToleranceS | None = None,
        missing: Missing | None = None,
        rate_per_minute: RatePerMinute | None = None,
        same_body_s: SameBodyS | None = None,
        may_wait: MayWait | None = None,
    ) -> WebhookAnswer:
        """Change parts of a webhook; what is not given stays, and so does the address.

        enabled=true also ends a pause after too many bad signatures.
        """
        webhook = await self._webhook(webhook_id)
        checked = self._check(webhook.tools if tools is None else tools)
        webhook = replace(
            webhook,
            name=name or webhook.name,
            prompt_template=prompt_template or webhook.prompt_template,
            tools=checked.names,
            enabled=_given(enabled, webhook.enabled),
            paused_at=None if enabled else webhook.paused_at,
            model=changed(webhook.model, model),
            max_turns=changed(webhook.max_turns, max_turns),
            timeout_s=timeout_s or webhook.timeout_s,
            budget_micro_usd=changed(webhook.budget_micro_usd, micro_dollars(budget_usd)),
            network=webhook.network if network is None else read_network(network),
            output_schema=changed_schema(webhook.output_schema, output_schema),
            tolerance_s=_given(tolerance_s, webhook.tolerance_s),
            missing=_given(missing, webhook.missing),
            rate_per_minute=_given(rate_per_minute, webhook.rate_per_minute),
            same_body_s=_given(same_body_s, webhook.same_body_s),
            may_wait=_given(may_wait, webhook.may_wait),
            updated_at=utc_ms(),
        )
        check_budget(self._services.settings, webhook.model, webhook.budget_micro_usd)
        if not await self._hooks.update(webhook):
            raise no_webhook(webhook_id)
        return await self._answer(webhook, checked)

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
        webhook = await self._webhook(webhook_id)
        signing = _signing_secret(scheme, secret)
        await self._hooks.sign_with(webhook, scheme, signing, overlap_s=overlap_s)
        webhook = await self._webhook(webhook_id)
        return await self._answer(webhook, secret=None if secret else signing)

    @tool(title="Delete a webhook", annotations=CHANGE)
    async def delete_webhook(self, webhook_id: WebhookId) -> Deleted:
        """Delete a webhook for good: its address stops working. Its runs are kept."""
        webhook = await self._webhook(webhook_id)
        if not await self._hooks.delete(webhook_id):
            raise no_webhook(webhook_id)
        self._services.runner.forget_folder(webhook_id)
        return Deleted(webhook_id, f"Webhook {webhook.name!r} is deleted; its runs are kept.")

    async def _webhook(self, webhook_id: str) -> Webhook:
        webhook = await self._services.store.webhooks.get(webhook_id)
        if webhook is None:
            raise no_webhook(webhook_id)
        return webhook

    def _check(self, tools: Sequence[str]) -> Normalised:
        return normalise(tools, live_tools(self._services.supervisor.snapshots()))

    async def _answer(
        self, webhook: Webhook, checked: Normalised | None = None, *, secret: str | None = None
    ) -> WebhookAnswer:
        url = await self._hooks.url(webhook.id)
        if url is None:
            raise no_webhook(webhook.id)
        warnings = (checked or self._check(webhook.tools)).warnings
        warnings = [*warnings, *doubts(webhook.network, webhook.tools)]
        return WebhookAnswer(
            view_webhook(webhook, url), tools_sentence(webhook), warnings, secret=secret
        )


def no_webhook(webhook_id: str) -> Refused:
    """Return the refusal of an id that names no webhook."""
    return Refused(f"There is no webhook {shown(webhook_id)}; list_webhooks shows the ids.")


def _signing_secret(scheme: Scheme, given: str | None) -> str | None:
    """Return what senders sign with: the given secret, else a fresh one. Raises Refused."""
    if scheme is Scheme.NONE:
        if given is not None:
            raise Refused("Scheme 'none' has no secret; leave it out, or name another scheme.")
        return None
    if given is None:
        return new_secret(scheme)
    try:
        check_secret(scheme, given)
    except UnusableSecret as error:
        raise Refused(
            f"The secret is no secret of scheme {scheme.value!r}, which takes {error}."
        ) from None
    return given


def _given(new: T | None, old: T) -> T:
    return old if new is None else new
