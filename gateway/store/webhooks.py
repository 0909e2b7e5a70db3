"""Stored webhooks. The secret in the address is kept hashed, to find it, and sealed, to show it."""

from sqlalchemy import delete, select, update

from gateway.domain.secret import Sealed
from gateway.domain.webhook import Webhook
from gateway.store.database import Database
from gateway.store.record import Record
from gateway.store.schema import webhooks

WEBHOOK = Record(Webhook, webhooks)


class WebhookTable:
    """Statements on `webhooks`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, webhook: Webhook, *, secret_hash: str, sealed_secret: Sealed) -> None:
        """Store a new webhook."""
        statement = webhooks.insert().values(
            **WEBHOOK.values(webhook),
            secret_hash=secret_hash,
            secret_key_id=sealed_secret.key_id,
            secret_sealed=sealed_secret.data,
        )
        await self._db.change(statement)

    async def get(self, webhook_id: str) -> Webhook | None:
        """Return the webhook, or None."""
        statement = select(*WEBHOOK.columns).where(webhooks.c.id == webhook_id)
        return WEBHOOK.maybe(await self._db.one(statement))

    async def all(self) -> tuple[Webhook, ...]:
        """Return every webhook, oldest first."""
        statement = select(*WEBHOOK.columns).order_by(webhooks.c.created_at, webhooks.c.id)
        return WEBHOOK.all(await self._db.all(statement))

    async def update(self, webhook: Webhook) -> bool:
        """Replace what a person may change; False when there is no such webhook."""
        left = ("id", "created_at", "last_delivery_at", "deliveries")
        values = WEBHOOK.values(webhook, without=left)
        statement = update(webhooks).where(webhooks.c.id == webhook.id).values(values)
        return await self._db.change(statement) == 1

    async def delete(self, webhook_id: str) -> bool:
        """Delete the webhook, not its runs; False when there is no such webhook."""
        return await self._db.change(delete(webhooks).where(webhooks.c.id == webhook_id)) == 1

    async def by_secret_hash(self, secret_hash: str) -> Webhook | None:
        """Return the webhook whose address holds the secret with this hash, or None."""
        statement = select(*WEBHOOK.columns).where(webhooks.c.secret_hash == secret_hash)
        return WEBHOOK.maybe(await self._db.one(statement))

    async def sealed_secret(self, webhook_id: str) -> Sealed | None:
        """Return the sealed secret, or None when there is no such webhook."""
        statement = select(webhooks.c.secret_key_id, webhooks.c.secret_sealed).where(
            webhooks.c.id == webhook_id
        )
        row = await self._db.one(statement)
        return None if row is None else Sealed(row["secret_key_id"], row["secret_sealed"])

    async def record_delivery(self, webhook_id: str, now: int) -> None:
        """Count one more delivery."""
        statement = (
            update(webhooks)
            .where(webhooks.c.id == webhook_id)
            .values(deliveries=webhooks.c.deliveries + 1, last_delivery_at=now)
        )
        await self._db.change(statement)
