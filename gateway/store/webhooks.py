"""Stored webhooks. The secret in the address is kept hashed, to find it, and sealed, to show it."""

from collections.abc import Iterable

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.notice import Notice
from gateway.domain.secret import Sealed
from gateway.domain.webhook import Webhook, WebhookSecret
from gateway.store.database import Database, Row
from gateway.store.notices import NoticeTable, insert_notice
from gateway.store.record import Record
from gateway.store.schema import webhook_secrets, webhooks

WEBHOOK = Record(Webhook, webhooks)


class WebhookTable:
    """Statements on `webhooks` and `webhook_secrets`."""

    def __init__(self, database: Database, notices: NoticeTable) -> None:
        self._db = database
        self._notices = notices

    async def add(
        self,
        webhook: Webhook,
        secret: WebhookSecret | None = None,
        *,
        secret_hash: str,
        sealed_secret: Sealed,
    ) -> None:
        """Store a new webhook with the secret of its address, and with what its senders sign."""
        statement = webhooks.insert().values(
            **WEBHOOK.values(webhook),
            secret_hash=secret_hash,
            secret_key_id=sealed_secret.key_id,
            secret_sealed=sealed_secret.data,
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)
            if secret is not None:
                await connection.execute(webhook_secrets.insert().values(_values(secret)))

        await self._db.transact(work)

    async def get(self, webhook_id: str) -> Webhook | None:
        """Return the webhook, or None."""
        statement = select(*WEBHOOK.columns).where(webhooks.c.id == webhook_id)
        return WEBHOOK.maybe(await self._db.one(statement))

    async def all(self) -> tuple[Webhook, ...]:
        """Return every webhook, oldest first."""
        statement = select(*WEBHOOK.columns).order_by(webhooks.c.created_at, webhooks.c.id)
        return WEBHOOK.all(await self._db.all(statement))

    async def update(self, webhook: Webhook, kept: Iterable[str] = ()) -> bool:
        """Replace what a person may change but not `kept`; False when there is no such webhook."""
        left = ("id", "created_at", "last_delivery_at", "deliveries", "failures", *kept)
        values = WEBHOOK.values(webhook, without=left)
        statement = update(webhooks).where(webhooks.c.id == webhook.id).values(values)
        return await self._db.change(statement) == 1

    async def delete(self, webhook_id: str) -> bool:
        """Delete the webhook, not its runs; False when there is no such webhook."""
        return await self._db.change(delete(webhooks).where(webhooks.c.id == webhook_id)) == 1

    async def all_by_address(self) -> dict[str, Webhook]:
        """Return every webhook by the hash of the secret in its address."""
        rows = await self._db.all(select(*WEBHOOK.columns, webhooks.c.secret_hash))
        return {row["secret_hash"]: _webhook(row) for row in rows}

    async def sealed_secret(self, webhook_id: str) -> Sealed | None:
        """Return the sealed secret, or None when there is no such webhook."""
        statement = select(webhooks.c.secret_key_id, webhooks.c.secret_sealed).where(
            webhooks.c.id == webhook_id
        )
        row = await self._db.one(statement)
        return None if row is None else Sealed(row["secret_key_id"], row["secret_sealed"])

    async def pause(self, webhook_id: str, now: int, notice: Notice) -> None:
        """Note that a webhook takes nothing until somebody enables it again, and tell of it."""
        statement = update(webhooks).where(webhooks.c.id == webhook_id).values(paused_at=now)
        await self._db.change_together(statement, [insert_notice(notice)])
        self._notices.ring()

    async def pause_until(self, webhook_id: str, until: int) -> None:
        """Note that a webhook takes nothing before an instant."""
        statement = update(webhooks).where(webhooks.c.id == webhook_id).values(paused_until=until)
        await self._db.change(statement)

    async def secrets(self, webhook_id: str | None = None) -> tuple[WebhookSecret, ...]:
        """Return the secrets of one webhook or of all, oldest first."""
        statement = select(webhook_secrets).order_by(
            webhook_secrets.c.created_at, webhook_secrets.c.id
        )
        if webhook_id is not None:
            statement = statement.where(webhook_secrets.c.webhook_id == webhook_id)
        return tuple(_secret(row) for row in await self._db.all(statement))

    async def replace_secret(
        self, webhook: Webhook, secret: WebhookSecret | None, *, old_until: int | None
    ) -> None:
        """Store a webhook's scheme with its new secret.

        The secret that it has now is valid until `old_until`, and no longer than that; older ones
        end. None: it ends too.
        """
        own = webhook_secrets.c.webhook_id == webhook.id
        ended = delete(webhook_secrets).where(own)
        if old_until is not None:
            ended = ended.where(webhook_secrets.c.expires_at.is_not(None))
        retired = update(webhook_secrets).where(own).values(expires_at=old_until)
        changed = update(webhooks).where(webhooks.c.id == webhook.id)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(ended)
            await connection.execute(retired)
            if secret is not None:
                await connection.execute(webhook_secrets.insert().values(_values(secret)))
            values = {"scheme": webhook.scheme, "updated_at": webhook.updated_at}
            await connection.execute(changed.values(values))

        await self._db.transact(work)


def _webhook(row: Row) -> Webhook:
    return WEBHOOK.read({column.name: row[column.name] for column in WEBHOOK.columns})


def _secret(row: Row) -> WebhookSecret:
    return WebhookSecret(
        id=row["id"],
        webhook_id=row["webhook_id"],
        sealed=Sealed(row["key_id"], row["sealed"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def _values(secret: WebhookSecret) -> dict[str, object]:
    return {
        "id": secret.id,
        "webhook_id": secret.webhook_id,
        "key_id": secret.sealed.key_id,
        "sealed": secret.sealed.data,
        "created_at": secret.created_at,
        "expires_at": secret.expires_at,
    }
