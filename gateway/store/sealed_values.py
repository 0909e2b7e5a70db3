"""Where sealed values stand: every column that a data key of the vault seals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Select, Table, Update, and_, func, select, update
from sqlalchemy.sql import ColumnElement

from gateway.domain.secret import Sealed, SealedPlace
from gateway.store.database import Row
from gateway.store.schema import channels, credentials, oauth_keys, webhook_secrets, webhooks


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """One column of sealed values and what they are bound to; a text stands for itself."""

    table: Table
    owner: "Column[str] | str"
    key: "Column[str] | str"
    key_id: "Column[str]"
    data: "Column[bytes]"

    def rows(self) -> Select[Any]:
        """Return the query for every row with its place."""
        bound = (part for part in (self.owner, self.key) if isinstance(part, Column))
        return select(*self.table.primary_key, *bound, self.key_id, self.data)

    def count(self) -> Select[Any]:
        """Return the query for how many values there are."""
        return select(func.count()).select_from(self.table)

    def place(self, row: Row) -> SealedPlace:
        """Return what the value of a row is bound to."""
        return SealedPlace(self.table.name, _part(self.owner, row), _part(self.key, row))

    def sealed(self, row: Row) -> Sealed:
        """Return the value of a row."""
        return Sealed(row[self.key_id.name], row[self.data.name])

    def replace(self, row: Row, sealed: Sealed) -> Update:
        """Return the statement that gives a row another value."""
        same: Sequence[ColumnElement[bool]] = [
            column == row[column.name] for column in self.table.primary_key
        ]
        new = {self.key_id.name: sealed.key_id, self.data.name: sealed.data}
        return update(self.table).where(and_(*same)).values(new)


SEALED_COLUMNS = (
    SealedColumn(
        credentials,
        credentials.c.server,
        credentials.c.key,
        credentials.c.key_id,
        credentials.c.sealed,
    ),
    SealedColumn(
        webhooks, webhooks.c.id, "secret", webhooks.c.secret_key_id, webhooks.c.secret_sealed
    ),
    SealedColumn(
        webhook_secrets,
        webhook_secrets.c.webhook_id,
        webhook_secrets.c.id,
        webhook_secrets.c.key_id,
        webhook_secrets.c.sealed,
    ),
    SealedColumn(channels, channels.c.id, "address", channels.c.key_id, channels.c.sealed),
    SealedColumn(oauth_keys, "oauth", oauth_keys.c.name, oauth_keys.c.key_id, oauth_keys.c.sealed),
)


def _part(part: "Column[str] | str", row: Row) -> str:
    return part if isinstance(part, str) else str(row[part.name])
