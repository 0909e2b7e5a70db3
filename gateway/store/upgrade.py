"""Runs Alembic on a connection that is given; reads no alembic.ini. Import only to migrate."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

MIGRATION_LOCK = 0x636C6175_64650001
"""Number of the PostgreSQL advisory lock that lets one process migrate at a time."""


def upgrade(connection: Connection, folder: Path) -> None:
    """Bring the schema to the newest revision in `folder`, in the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
