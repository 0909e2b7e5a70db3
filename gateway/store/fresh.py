"""Makes the newest schema in a database that has none, without a walk through its history."""

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table

from gateway.store.schema import HEAD, metadata, settings
from gateway.store.settings import DEFAULTS

# As Alembic writes it, which reads and updates it from the next revision on.
_alembic_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def create(connection: Connection) -> None:
    """Create every table and the rows of a first start, in the caller's transaction."""
    _alembic_version.create(connection)
    metadata.create_all(connection, checkfirst=False)
    connection.execute(_alembic_version.insert().values(version_num=HEAD))
    rows = [{"key": key, "value": value} for key, value in DEFAULTS.items()]
    connection.execute(settings.insert(), rows)
