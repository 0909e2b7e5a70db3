"""The webhooks as deliveries meet them: in memory, by the hash of their address.

The only writer of their tables, so what it holds is what is stored. An address that nobody has
costs the same look as one that somebody has.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gateway.domain.ids import new_id
from gateway.domain.webhook import Scheme, Webhook, WebhookSecret
from gateway.notify.wording import webhook_paused
from gateway.secret import Secret
from gateway.store import DEFAULT_WEBHOOK_BASE_URL, Store
from gateway.vault import SealBroken, Vault
from supervisor.redaction import Redactor

log = logging.getLogger(__name__)

ADDRESS_BYTES = 32
TABLE = "webhook_secrets"
LABEL = "secret of a webhook"
PAUSES = ("paused_at", "paused_until")


@dataclass(frozen=True, slots=True)
class OpenSecret:
    """A secret as a check needs it."""

    value: Secret
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook and what its senders sign with."""

    webhook: Webhook
    secrets: tuple[OpenSecret, ...] = field(default=(), repr=False)

    def valid_secrets(self, now: int) -> list[str]:
        """Return the secrets that count at `now`, the newest first."""
        return [
            each.value.reveal()
            for each in reversed(self.secrets)
            if each.expires_at is None or each.expires_at > now
        ]


class Hooks:
    """Every webhook, found without a look at the database."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        redactor: Redactor,
        *,
        now_ms: Callable[[], int],
        own_url: Callable[[], str],
    ) -> None:
        """`own_url` returns the origin that senders reach when no other is set."""
        self._store = store
        self._vault = vault
        self._redactor = redactor
        self._now_ms = now_ms
        self._own_url = own_url
        self._by_address: dict[str, Hook] = {}
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Read all of them. Raises StoreError."""
        opened: dict[str, list[OpenSecret]] = {}
        for secret in await self._store.webhooks.secrets():
            if (found := self._open(secret)) is not None:
                opened.setdefault(secret.webhook_id, []).append(found)
        found_now = {
            address: Hook(webhook, tuple(opened.get(webhook.id, ())))
            for address, webhook in (await self._store.webhooks.all_by_address()).items()
        }
        self._hide(known=False)
        self._by_address = found_now
        self._hide(known=True)

    def find(self, secret: str) -> Hook | None:
        """Return the webhook whose address holds `secret`; None when there is none."""
        return self._by_address.get(hash_of(secret))

    def get(self, webhook_id: str) -> Hook | None:
        """Return the webhook of this id, or None."""
        hooks = self._by_address.values()
        return next((hook for hook in hooks if hook.webhook.id == webhook_id), None)

    async def add(self, webhook: Webhook, secret: str | None = None) -> None:
        """Store a new webhook at a new address; `secret`: what its senders sign with."""
        address = secrets.token_urlsafe(ADDRESS_BYTES)
        async with self._changing, self._vault.storing():
            sealed = self._vault.seal(webhook.id, "secret", address, table="webhooks")
            made = None if secret is None else self._seal(webhook.id, secret)
            self._redactor.know(LABEL, address)
            await self._store.webhooks.add(
                webhook, made, secret_hash=hash_of(address), sealed_secret=sealed
            )
            await self.load()

    async def update(self, old: Webhook, new: Webhook) -> bool:
        """Replace what a person may change; False when there is no such webhook.

        A pause that `new` leaves as it is in `old` is not written: one may have begun meanwhile.
        """
        kept = [name for name in PAUSES if getattr(old, name) == getattr(new, name)]
        async with self._changing:
            met = await self._store.webhooks.update(new, kept)
            await self.load()
        return met

    async def delete(self, webhook_id: str) -> bool:
        """Delete a webhook with its log; False when there is no such webhook."""
        async with self._changing:
            met = await self._store.webhooks.delete(webhook_id)
            await self.load()
        return met

    async def pause(self, webhook: Webhook, bad: int) -> None:
        """Take nothing more for this webhook until it is enabled again; `bad`: wrong signatures."""
        now = self._now_ms()
        async with self._changing:
            notice = webhook_paused(webhook, bad, now)
            await self._store.webhooks.pause(webhook.id, now, notice)
            await self.load()

    async def pause_until(self, webhook_id: str, until: int) -> None:
        """Take nothing for this webhook before an instant."""
        async with self._changing:
            await self._store.webhooks.pause_until(webhook_id, until)
            await self.load()

    async def sign_with(
        self, webhook: Webhook, scheme: Scheme, secret: str | None, *, overlap_s: float
    ) -> None:
        """Have senders prove themselves by `scheme` with `secret` from now on.

        The secret of the same scheme goes on for `overlap_s`.
        """
        now = self._now_ms()
        until = now + round(overlap_s * 1000) if webhook.scheme is scheme else None
        async with self._changing, self._vault.storing():
            made = None if secret is None else self._seal(webhook.id, secret)
            changed = replace(webhook, scheme=scheme, updated_at=now)
            await self._store.webhooks.replace_secret(changed, made, old_until=until)
            await self.load()

    async def url(self, webhook_id: str) -> str | None:
        """Return the address, or None when there is no such webhook. Raises SealBroken."""
        secret = await self.address_secret(webhook_id)
        return None if secret is None else f"{await self.base_url()}/webhook/{secret}"

    async def address_secret(self, webhook_id: str) -> str | None:
        """Return the secret in the address, or None. Raises SealBroken."""
        sealed = await self._store.webhooks.sealed_secret(webhook_id)
        if sealed is None:
            return None
        return self._vault.unseal(webhook_id, "secret", sealed, table="webhooks")

    async def base_url(self) -> str:
        """Return the origin that senders reach: the changed settings row, else our own address."""
        row = await self._store.settings.get("webhook_base_url")
        return self._own_url() if row == DEFAULT_WEBHOOK_BASE_URL else str(row)

    def _seal(self, webhook_id: str, secret: str) -> WebhookSecret:
        secret_id = new_id("whsec")
        sealed = self._vault.seal(webhook_id, secret_id, secret, table=TABLE)
        return WebhookSecret(secret_id, webhook_id, sealed, self._now_ms())

    def _hide(self, *, known: bool) -> None:
        """Have what senders sign with hidden from logs and records, or not any more."""
        change = self._redactor.know if known else self._redactor.forget
        for hook in self._by_address.values():
            for secret in hook.secrets:
                change(LABEL, secret.value.reveal())

    def _open(self, secret: WebhookSecret) -> OpenSecret | None:
        try:
            value = self._vault.unseal(secret.webhook_id, secret.id, secret.sealed, table=TABLE)
        except SealBroken as error:
            log.error("Deliveries to webhook %s will be refused: %s", secret.webhook_id, error)
            return None
        return OpenSecret(Secret(value), secret.expires_at)


def hash_of(secret: str) -> str:
    """Return what is stored of an address's secret, to find it by."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
