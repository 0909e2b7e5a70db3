"""What the owner does with webhooks: the same by page, by tool and by command.

Above: pages and tools. Below: `hooks`, which alone writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gateway.budgets.defaults import check_budget, run_defaults
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.webhook import Scheme, Webhook
from gateway.jobs.network_words import doubts, network_for
from gateway.jobs.runner import Runner
from gateway.settings import Settings
from gateway.store import Store
from gateway.tool_names import Live, Normalised, normalise
from gateway.webhooks.errors import NoSuchWebhook, SecretRefused
from gateway.webhooks.given import Given, apply
from gateway.webhooks.hooks import Hooks
from gateway.webhooks.schemes import UnusableSecret, check_secret, new_secret


@dataclass(frozen=True, slots=True)
class Told:
    """A webhook that was made or changed, and what is doubtful about its tools."""

    webhook: Webhook
    doubts: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)
    """What senders sign with, if a fresh one was made; shown this once."""


class Desk:
    """Makes, changes and deletes webhooks."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        hooks: Hooks,
        runner: Runner,
        live: Callable[[], Live],
    ) -> None:
        """`live` returns the servers with the tools that they show now."""
        self._settings = settings
        self._store = store
        self._hooks = hooks
        self._runner = runner
        self._live = live

    async def get(self, webhook_id: str) -> Webhook:
        """Return the webhook. Raises NoSuchWebhook and StoreError."""
        webhook = await self._store.webhooks.get(webhook_id)
        if webhook is None:
            raise NoSuchWebhook(webhook_id)
        return webhook

    async def url(self, webhook_id: str) -> str:
        """Return the address, which is a secret. Raises NoSuchWebhook, SealBroken, StoreError."""
        url = await self._hooks.url(webhook_id)
        if url is None:
            raise NoSuchWebhook(webhook_id)
        return url

    async def create(self, given: Given, scheme: Scheme, secret: str | None = None) -> Told:
        """Make a webhook of at least a name and a template; without tools it has none.

        Raises InvalidToolName, SecretRefused, UnknownPrice, JobError and StoreError.
        """
        assert given.name and given.prompt_template
        checked = self._check(given.tools or ())
        signing = _signing_secret(scheme, secret)
        now, defaults = utc_ms(), run_defaults(self._settings)
        blank = Webhook(
            id=new_id("webhook"),
            name=given.name,
            prompt_template=given.prompt_template,
            tools=checked.names,
            servers=(),
            enabled=True,
            created_at=now,
            updated_at=now,
            max_turns=defaults.max_turns,
            timeout_s=defaults.timeout_s,
            budget_micro_usd=defaults.budget_micro_usd,
            network=network_for(checked.names),
            scheme=scheme,
        )
        webhook = apply(blank, given, now)
        self._check_budget(webhook)
        await self._hooks.add(webhook, signing)
        return _told(webhook, checked, None if secret else signing)

    async def change(self, webhook_id: str, given: Given) -> Told:
        """Change what is given. Raises NoSuchWebhook, and what `create` raises."""
        old = await self.get(webhook_id)
        checked = self._check(old.tools if given.tools is None else given.tools)
        webhook = replace(apply(old, given, utc_ms()), tools=checked.names)
        if _spending(webhook) != _spending(old):
            self._check_budget(webhook)
        if not await self._hooks.update(old, webhook):
            raise NoSuchWebhook(webhook_id)
        self._runner.ahead.forget(webhook_id)
        return _told(await self.get(webhook_id), checked)

    async def sign_with(
        self, webhook_id: str, scheme: Scheme, secret: str | None = None, *, overlap_s: float
    ) -> Told:
        """Have senders sign by a scheme with a secret, a fresh one unless one is given.

        The secret until now goes on for `overlap_s`, with another scheme it ends at once. Raises
        NoSuchWebhook, SecretRefused and StoreError.
        """
        webhook = await self.get(webhook_id)
        signing = _signing_secret(scheme, secret)
        await self._hooks.sign_with(webhook, scheme, signing, overlap_s=overlap_s)
        webhook = await self.get(webhook_id)
        return _told(webhook, self._check(webhook.tools), None if secret else signing)

    async def delete(self, webhook_id: str) -> Webhook:
        """Delete a webhook with its log, not its runs. Raises NoSuchWebhook and StoreError."""
        webhook = await self.get(webhook_id)
        if not await self._hooks.delete(webhook_id):
            raise NoSuchWebhook(webhook_id)
        self._runner.forget_folder(webhook_id)
        return webhook

    def doubts(self, webhook: Webhook) -> tuple[str, ...]:
        """Return what is doubtful about a webhook's tools now."""
        return _doubts(webhook, self._check(webhook.tools))

    def _check(self, tools: Sequence[str]) -> Normalised:
        return normalise(tools, self._live())

    def _check_budget(self, webhook: Webhook) -> None:
        check_budget(self._settings, *_spending(webhook))


def _spending(webhook: Webhook) -> tuple[str | None, int | None, int | None]:
    """Return the model, and the budgets of a run and of a day."""
    return webhook.model, webhook.budget_micro_usd, webhook.day_budget_micro_usd


def _told(webhook: Webhook, checked: Normalised, secret: str | None = None) -> Told:
    return Told(webhook, _doubts(webhook, checked), secret)


def _doubts(webhook: Webhook, checked: Normalised) -> tuple[str, ...]:
    return (*checked.warnings, *doubts(webhook.network, webhook.tools))


def _signing_secret(scheme: Scheme, given: str | None) -> str | None:
    """Return what senders sign with: the given secret, else a fresh one. Raises SecretRefused."""
    if scheme is Scheme.NONE:
        if given is not None:
            raise SecretRefused(
                "Scheme 'none' has no secret; leave it out, or name another scheme."
            )
        return None
    if given is None:
        return new_secret(scheme)
    try:
        check_secret(scheme, given)
    except UnusableSecret as error:
        raise SecretRefused(
            f"The secret is no secret of scheme {scheme.value!r}, which takes {error}."
        ) from None
    return given
