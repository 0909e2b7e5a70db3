"""The store: every table of one database, opened once per process."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
from anyio import to_thread
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.domain.secret import DataKey
from gateway.store.audit import AuditTable
from gateway.store.channels import ChannelTable
from gateway.store.cost_history import CostHistory
from gateway.store.costs import CostTable
from gateway.store.credentials import CredentialTable, find_names
from gateway.store.dashboard_sessions import DashboardSessionTable
from gateway.store.data_keys import DataKeyTable, find_data_keys
from gateway.store.database import Database, unavailable_as_error
from gateway.store.definition_pins import DefinitionPinTable
from gateway.store.deliveries import DeliveryTable
from gateway.store.engines import (
    create_private_file,
    postgres_engine,
    postgres_migrator,
    postgres_place,
    postgres_url,
    sqlite_migrator,
    sqlite_reader,
    sqlite_spectator,
    sqlite_writer,
)
from gateway.store.fire_tokens import FireTokenTable
from gateway.store.jobs import JobTable
from gateway.store.migrate import SHIPPED, Migrations, is_current, migrate
from gateway.store.node_runs import NodeRunTable
from gateway.store.nodes import NodeTable
from gateway.store.notices import NoticeTable
from gateway.store.oauth_clients import OAuthClientTable
from gateway.store.oauth_grants import OAuthGrantTable
from gateway.store.oauth_keys import OAuthKeyTable
from gateway.store.retention import RetentionTable
from gateway.store.run_files import RunFileTable
from gateway.store.run_history import RunHistoryTable
from gateway.store.run_records import RunRecordTable
from gateway.store.runs import RunTable
from gateway.store.server_versions import ServerVersionTable
from gateway.store.servers import ServerTable
from gateway.store.settings import SettingTable
from gateway.store.tokens import TokenTable
from gateway.store.webhooks import WebhookTable

CLOSE_TIMEOUT_S = 10.0
"""How long closing may take: folding SQLite's log into the file, goodbyes to PostgreSQL."""


class Store:
    """One table object per aggregate, over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self.notices = NoticeTable(database)
        self.nodes = NodeTable(database)
        self.node_runs = NodeRunTable(database)
        self.channels = ChannelTable(database)
        self.jobs = JobTable(database, self.notices)
        self.runs = RunTable(database, self.notices)
        self.run_history = RunHistoryTable(database)
        self.run_files = RunFileTable(database)
        self.run_records = RunRecordTable(database)
        self.retention = RetentionTable(database)
        self.webhooks = WebhookTable(database, self.notices)
        self.costs = CostTable(database)
        self.cost_history = CostHistory(database)
        self.deliveries = DeliveryTable(database)
        self.fire_tokens = FireTokenTable(database)
        self.settings = SettingTable(database)
        self.tokens = TokenTable(database)
        self.oauth_clients = OAuthClientTable(database)
        self.oauth_grants = OAuthGrantTable(database)
        self.oauth_keys = OAuthKeyTable(database)
        self.audit = AuditTable(database)
        self.dashboard_sessions = DashboardSessionTable(database)
        self.credentials = CredentialTable(database)
        self.data_keys = DataKeyTable(database)
        self.servers = ServerTable(database)
        self.definition_pins = DefinitionPinTable(database)
        self.server_versions = ServerVersionTable(database)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str | None, *, path: Path, migrations: Migrations = SHIPPED
    ) -> AsyncGenerator["Store"]:
        """Open the database at `url`, or without one the SQLite file `path`, at the newest schema.

        Raises StoreUnavailable, UnsupportedDatabase, SchemaTooNew and MigrationFailed.
        """
        async with AsyncExitStack() as stack:
            if url:
                database = await _open_postgres(stack, url, migrations)
            else:
                database = await _open_sqlite(stack, path, migrations)
            yield cls(database)

    @classmethod
    async def peek_data_keys(cls, url: str | None, *, path: Path) -> tuple[DataKey, ...]:
        """Return the data keys of a database that is left as it is: not migrated, not even made.

        Raises StoreUnavailable and UnsupportedDatabase.
        """
        async with _looking_on(url, path) as connection:
            return () if connection is None else await find_data_keys(connection)

    @classmethod
    async def peek_credentials(cls, url: str | None, *, path: Path) -> frozenset[tuple[str, str]]:
        """Return server and key of every credential, and leave the database as `peek_data_keys`.

        Raises StoreUnavailable and UnsupportedDatabase.
        """
        async with _looking_on(url, path) as connection:
            return frozenset() if connection is None else await find_names(connection)


@asynccontextmanager
async def _looking_on(url: str | None, path: Path) -> AsyncGenerator[AsyncConnection | None]:
    """Give a connection to a database of any schema; None: it is not even there."""
    if url:
        address = postgres_url(url)
        engine, place = postgres_engine(address), postgres_place(address)
    elif await to_thread.run_sync(path.exists):
        engine, place = sqlite_spectator(path), str(path)
    else:
        yield None
        return
    with unavailable_as_error(place):
        async with _disposed(engine), engine.connect() as connection:
            yield connection


async def _open_sqlite(stack: AsyncExitStack, path: Path, migrations: Migrations) -> Database:
    place = str(path)
    create_private_file(path)
    with unavailable_as_error(place):
        async with _disposed(sqlite_migrator(path)) as migrator:
            if not await is_current(migrator, place=place, migrations=migrations):
                await migrate(migrator, place=place, file=path, migrations=migrations)
    writer = await stack.enter_async_context(_disposed(sqlite_writer(path)))
    reader = await stack.enter_async_context(_disposed(sqlite_reader(path)))
    stack.push_async_callback(_optimize, writer)
    return Database(place=place, writer=writer, reader=reader)


async def _open_postgres(stack: AsyncExitStack, text_url: str, migrations: Migrations) -> Database:
    url = postgres_url(text_url)
    place = postgres_place(url)
    with unavailable_as_error(place):
        async with _disposed(postgres_migrator(url)) as migrator:
            if not await is_current(migrator, place=place, migrations=migrations):
                await migrate(migrator, place=place, file=None, migrations=migrations)
    engine = await stack.enter_async_context(_disposed(postgres_engine(url)))
    reader = engine.execution_options(isolation_level="AUTOCOMMIT")
    return Database(place=place, writer=engine, reader=reader)


@asynccontextmanager
async def _disposed(engine: AsyncEngine) -> AsyncGenerator[AsyncEngine]:
    try:
        yield engine
    finally:
        # A cancelled owner must close too: a driver's thread that is left would outlive the loop.
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await engine.dispose()


async def _optimize(writer: AsyncEngine) -> None:
    with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
        async with writer.begin() as connection:
            await connection.execute(text("PRAGMA optimize"))
