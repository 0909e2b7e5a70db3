"""OAuth's tables as the authorization server needs them; nothing wrote to the earlier ones."""

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint

from gateway.store.types import BYTES, INTEGER, Json, Words

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Replace three tables and create three more."""
    for table in ("oauth_refresh_tokens", "oauth_codes", "oauth_clients"):
        op.drop_table(table)
    op.create_table(
        "oauth_clients",
        Column("id", Words(), nullable=False),
        Column("name", Words(), nullable=False),
        Column("source", Words(), nullable=False),
        Column("redirect_uris", Json(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("secret_hash", Words()),
        Column("fetched_at", INTEGER),
        PrimaryKeyConstraint("id", name="pk_oauth_clients"),
        sqlite_strict=True,
    )
    op.create_table(
        "oauth_grants",
        Column("id", Words(), nullable=False),
        Column("client_id", Words(), nullable=False),
        Column("scopes", Json(), nullable=False),
        Column("resource", Words(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("last_used_at", INTEGER),
        Column("revoked_at", INTEGER),
        PrimaryKeyConstraint("id", name="pk_oauth_grants"),
        ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.id"],
            name="fk_oauth_grants_client_id",
            ondelete="CASCADE",
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_oauth_grants_client_id", "oauth_grants", ["client_id"])
    _create_values(
        "oauth_codes",
        Column("redirect_uri", Words(), nullable=False),
        Column("challenge", Words(), nullable=False),
        Column("used_at", INTEGER),
    )
    _create_values("oauth_access_tokens", Column("scopes", Json(), nullable=False))
    _create_values("oauth_refresh_tokens", Column("rotated_at", INTEGER))
    op.create_table(
        "oauth_keys",
        Column("name", Words(), nullable=False),
        Column("key_id", Words(), nullable=False),
        Column("sealed", BYTES, nullable=False),
        PrimaryKeyConstraint("name", name="pk_oauth_keys"),
        ForeignKeyConstraint(["key_id"], ["data_keys.id"], name="fk_oauth_keys_key_id"),
        sqlite_strict=True,
    )


def _create_values(table: str, *columns: Column[object]) -> None:
    op.create_table(
        table,
        Column("hash", Words(), nullable=False),
        Column("grant_id", Words(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("expires_at", INTEGER, nullable=False),
        *columns,
        PrimaryKeyConstraint("hash", name=f"pk_{table}"),
        ForeignKeyConstraint(
            ["grant_id"], ["oauth_grants.id"], name=f"fk_{table}_grant_id", ondelete="CASCADE"
        ),
        sqlite_strict=True,
    )
    op.create_index(f"ix_{table}_grant_id", table, ["grant_id"])
