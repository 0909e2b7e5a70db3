"""How the schema gets to its newest revision, on both databases, and when it refuses to."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.domain.job import Job
from gateway.domain.run import Run
from gateway.domain.secret import DataKey, Sealed
from gateway.domain.webhook import Webhook
from gateway.store import MigrationFailed, SchemaTooNew, Store
from gateway.store.engines import postgres_url
from gateway.store.migrate import SHIPPED, Migrations
from gateway.store.schema import HEAD, metadata
from gateway.store.settings import DEFAULTS
from tests.store import examples
from tests.store.conftest import Address

Result = TypeVar("Result")

REVISIONS = Migrations(SHIPPED.folder, HEAD)
"""The shipped ones, which an empty database walks through one by one."""

REBUILDS_RUNS = '''
"""Rebuilds a table that another one refers to."""
from alembic import op
from sqlalchemy import Column
from gateway.store.types import INTEGER
revision = "{head}"
down_revision = "{base}"
def upgrade():
    with op.batch_alter_table("runs", recreate="auto") as runs:
        runs.add_column(Column("stars", INTEGER))
        runs.alter_column("prompt", nullable=True)
'''
BREAKS_HALFWAY = '''
"""Changes something, then fails."""
from alembic import op
revision = "{head}"
down_revision = "{base}"
def upgrade():
    op.drop_table("run_messages")
    op.execute("SELECT nothing FROM nowhere")
'''


def newer(folder: Path, source: str) -> Migrations:
    """Return the shipped migrations with one more revision."""
    ahead = folder / "ahead"
    shutil.copytree(SHIPPED.folder, ahead, ignore=shutil.ignore_patterns("__pycache__"))
    head = f"{int(HEAD) + 1:04}"
    revision = source.format(head=head, base=HEAD)
    (ahead / "versions" / f"{head}_ahead.py").write_text(revision, encoding="utf-8")
    return Migrations(ahead, head)


def only_first(folder: Path) -> Migrations:
    """Return the shipped migrations as they were at revision 1."""
    first = folder / "first"
    shutil.copytree(SHIPPED.folder, first, ignore=shutil.ignore_patterns("__pycache__"))
    for revision in (first / "versions").glob("*.py"):
        if not revision.name.startswith("0001"):
            revision.unlink()
    return Migrations(first, "0001")


async def fill(store: Store) -> dict[str, Any]:
    """Put one row into every table that has statements; return what `contents` must give."""
    job, hook, token = examples.job(), examples.webhook(), examples.token()
    run = examples.run(job_id=job.id)
    key = DataKey("key_1", b"wrapped", 1)
    sealed = Sealed(key.id, b"sealed")
    await store.jobs.add(job)
    await store.runs.add(run)
    await store.runs.append_messages([examples.message(run)])
    await store.data_keys.add(key)
    await store.webhooks.add(hook, secret_hash="h", sealed_secret=sealed)
    await store.tokens.add(token, "hash")
    await store.credentials.put("email", "TOKEN", sealed, 1)
    await store.servers.set_enabled("email", False)
    await store.definition_pins.put("email", b"earlier", 1)
    await store.definition_pins.put("email", b"record", 2)
    await store.oauth_clients.put(examples.client(id="c"))
    await store.oauth_grants.add(examples.grant(id="g", client_id="c"))
    await store.oauth_keys.add("tokens", sealed)
    await store.settings.set("mcp_servers", ["email"])
    return await contents(store)


async def fill_first(store: Store) -> tuple[Job, Run, Webhook]:
    """Put a job, a run and a webhook into a database of revision 1, without younger columns."""
    job, hook = examples.job(), examples.webhook()
    run = examples.run(job_id=job.id)
    younger = {
        "network", "refused_hosts", "at", "paused_until", "jitter_s", "catch_up", "catch_up_max",
        "grace_s", "overlap", "scheduled_until", "start_within_s", "retries", "concurrency",
        "on_interrupt", "expires_at", "not_before", "on_success", "on_failure", "chained_from",
        "chain_depth", "scheme", "tolerance_s", "missing", "rate_per_minute", "same_body_s",
        "may_wait", "paused_at", "notify_after", "failures", "output_schema", "structured",
        "day_budget_micro_usd", "limit_reached", "worked_ms", "node",
    }  # fmt: skip
    key = DataKey("key_1", b"wrapped", 1)
    await store.data_keys.add(key)
    secret = {"secret_hash": "h", "secret_key_id": key.id, "secret_sealed": b"sealed"}
    for table, row in (
        ("jobs", asdict(job)),
        ("runs", asdict(run)),
        ("webhooks", asdict(hook) | secret),
    ):
        values = {name: value for name, value in row.items() if name not in younger}
        await store.jobs._db.change(metadata.tables[table].insert().values(values))  # pyright: ignore[reportPrivateUsage] - what no method writes any more
    return job, run, hook


async def contents(store: Store) -> dict[str, Any]:
    """Return every row that the store's methods reach."""
    runs = await store.runs.list()
    return {
        "jobs": await store.jobs.all(),
        "runs": runs,
        "messages": [await store.runs.messages(run.id) for run in runs],
        "webhooks": await store.webhooks.all(),
        "tokens": await store.tokens.all(),
        "keys": await store.data_keys.all(),
        "credentials": await store.credentials.get_sealed("email"),
        "servers": await store.servers.enabled("email"),
        "pins": await store.definition_pins.all(),
        "settings": await store.settings.get_all(),
        "client": await store.oauth_clients.get("c"),
        "grant": await store.oauth_grants.get("g"),
        "oauth_key": await store.oauth_keys.get("tokens"),
    }


def copies(empty: Address) -> list[str]:
    """Return the names of the copies beside the SQLite file."""
    return sorted(path.name for path in empty.path.parent.glob("*.before-*"))


async def seen(empty: Address, look: Callable[[Connection], Result]) -> Result:
    """Return what `look` finds on a connection of its own, and commit what it does."""
    url = postgres_url(empty.url) if empty.url else f"sqlite+aiosqlite:///{empty.path}"
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(look)
    finally:
        await engine.dispose()


def tables(connection: Connection) -> set[str]:
    """Return the tables that are really there."""
    return set(inspect(connection).get_table_names())


def facts(connection: Connection) -> dict[str, Any]:
    """Return all that a database tells of each table, and the rows of a first start."""
    database = inspect(connection)
    found: dict[str, Any] = {}
    for table in database.get_table_names():
        found[table] = {
            "columns": _by_name(
                {**each, "type": str(each["type"])} for each in database.get_columns(table)
            ),
            "primary key": database.get_pk_constraint(table),
            "foreign keys": _by_name(database.get_foreign_keys(table)),
            "unique": _by_name(database.get_unique_constraints(table)),
            "indexes": _by_name(database.get_indexes(table)),
            "checks": _by_name(database.get_check_constraints(table)),
        }
    for table in ("settings", "alembic_version"):
        rows = connection.execute(text(f"SELECT * FROM {table}")).all()  # noqa: S608 - two names above
        found[table]["rows"] = sorted(tuple(row) for row in rows)
    return found


def _by_name(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(items, key=lambda item: str(item["name"]))


def test_the_stated_head_is_the_newest_revision() -> None:
    """Ours: a database that has it opens without Alembic, so it must not lag behind."""
    config = Config()
    config.set_main_option("script_location", str(SHIPPED.folder))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD
    assert SHIPPED.head == HEAD


async def test_migrations_make_the_schema_that_statements_expect(empty: Address) -> None:
    """Ours: the tables in schema and the revisions cannot drift apart."""

    def differences(connection: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with empty.open(REVISIONS):
        pass
    assert await seen(empty, differences) == []


async def test_a_first_start_makes_what_the_revisions_make(empty: Address) -> None:
    """Ours: a database does not show whether it grew up with the releases or is of today."""

    def drop(connection: Connection) -> None:
        found = MetaData()
        found.reflect(connection)
        found.drop_all(connection)

    async with empty.open(REVISIONS):
        pass
    grown = await seen(empty, facts)
    await seen(empty, drop)
    async with empty.open():
        pass
    assert await seen(empty, facts) == grown


async def test_the_first_schema_has_the_rows_of_the_settings(empty: Address) -> None:
    """Ours: the defaults are visible in the database, not only in the code."""
    async with empty.open() as store:
        rows = await store.settings._db.all(metadata.tables["settings"].select())  # pyright: ignore[reportPrivateUsage] - what no method shows
        assert {row["key"]: row["value"] for row in rows} == dict(DEFAULTS)


async def test_a_database_of_the_first_revision_keeps_every_row(
    empty: Address, tmp_path: Path
) -> None:
    """Ours: from revision 1 to the newest, and to one that rebuilds a referenced table."""
    async with empty.open(only_first(tmp_path)) as store:
        job, run, hook = await fill_first(store)
    async with empty.open() as store:
        before = await contents(store)
        assert (before["jobs"], before["runs"], before["webhooks"]) == ((job,), (run,), (hook,))
    async with empty.open(newer(tmp_path, REBUILDS_RUNS)) as store:
        assert await contents(store) == before
        assert await store.jobs.delete(before["jobs"][0].id)
        assert await store.runs.list() == ()


async def test_a_newer_schema_refuses_and_is_left_alone(empty: Address, tmp_path: Path) -> None:
    """Ours: an old release never writes to what it does not know."""
    ahead = newer(tmp_path, REBUILDS_RUNS)
    async with empty.open(ahead) as store:
        before = await fill(store)
    with pytest.raises(SchemaTooNew) as caught:
        async with empty.open():
            pass
    assert (caught.value.found, caught.value.known) == (ahead.head, HEAD)
    async with empty.open(ahead) as store:
        assert await contents(store) == before


async def test_a_migration_that_fails_changes_nothing(empty: Address, tmp_path: Path) -> None:
    """Ours: every revision or none, also on SQLite."""
    async with empty.open() as store:
        before = await fill(store)
    with pytest.raises(MigrationFailed) as caught:
        async with empty.open(newer(tmp_path, BREAKS_HALFWAY)):
            pass
    assert (caught.value.copy is None) == (empty.url is not None)
    async with empty.open() as store:
        assert await contents(store) == before


async def test_only_a_migration_of_a_filled_file_makes_a_copy(tmp_path: Path) -> None:
    """Ours: not the first start, not a start with nothing to migrate."""
    address = Address(None, tmp_path / "home" / "jobs.db")
    async with address.open() as store:
        before = await fill(store)
    async with address.open():
        pass
    assert copies(address) == []

    olds = [address.path.with_name(f"jobs.db.before-{number}") for number in range(4)]
    for number, old in enumerate(olds):
        old.touch()
        os.utime(old, (number, number))
    ahead = newer(tmp_path, REBUILDS_RUNS)
    async with address.open(ahead):
        pass
    async with address.open(ahead):
        pass

    assert copies(address) == [f"jobs.db.before-{each}" for each in (ahead.head, "2", "3")]
    copy = address.path.with_name(f"jobs.db.before-{ahead.head}")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    async with Address(None, copy).open() as store:
        assert await contents(store) == before


async def test_a_second_try_replaces_the_copy(tmp_path: Path) -> None:
    """Ours: a copy of an earlier, failed try does not stop the next one."""
    address = Address(None, tmp_path / "jobs.db")
    async with address.open():
        pass
    broken = newer(tmp_path, BREAKS_HALFWAY)
    with pytest.raises(MigrationFailed):
        async with address.open(broken):
            pass
    async with address.open() as store:
        before = await fill(store)
    with pytest.raises(MigrationFailed):
        async with address.open(broken):
            pass
    async with Address(None, tmp_path / f"jobs.db.before-{broken.head}").open() as store:
        assert await contents(store) == before


async def test_only_an_older_database_needs_alembic(empty: Address) -> None:
    """Ours: half a second less at every start, also at the first."""
    program = (
        "import anyio, pathlib, sys\n"
        "from gateway.store import Store\n"
        "async def main():\n"
        "    for start in ('first', 'next'):\n"
        "        async with Store.open(sys.argv[1] or None, path=pathlib.Path(sys.argv[2])):\n"
        "            print(start, 'alembic' in sys.modules)\n"
        "anyio.run(main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, empty.url or "", str(empty.path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        timeout=30,
    )
    assert (done.stdout, done.stderr) == ("first False\nnext False\n", "")


async def test_every_table_of_sqlite_is_strict(tmp_path: Path) -> None:
    """Ours: a wrong type is an error at the write and not a surprise at the read."""
    path = tmp_path / "jobs.db"
    async with Address(None, path).open():
        pass
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema='main'")
        strict = {name for name, is_strict in rows if is_strict}
    assert strict == set(metadata.tables)


async def test_the_tables_are_the_ones_that_were_promised(empty: Address) -> None:
    """Ours: issue 2 names the first seven."""
    async with empty.open():
        pass
    promised = {"jobs", "runs", "settings", "webhooks"}
    promised |= {"oauth_clients", "oauth_codes", "oauth_refresh_tokens"}
    ours = {"run_messages", "tokens", "credentials", "data_keys", "servers", "alembic_version"}
    versions = {"server_versions", "server_files", "definition_pins"}
    versions |= {"audit", "run_records", "run_calls"}
    oauth = {"oauth_grants", "oauth_access_tokens", "oauth_keys", "dashboard_sessions"}
    hooks = {"webhook_secrets", "webhook_keys", "webhook_deliveries", "job_fire_tokens"}
    told = {"channels", "notices", "sendings"}
    told |= {"run_costs", "day_costs", "day_budgets_reached", "run_files", "run_file_sets", "nodes"}
    assert await seen(empty, tables) == promised | ours | versions | oauth | hooks | told


def test_no_domain_field_lacks_a_column() -> None:
    """Ours: a field that is added to a type needs a revision."""
    for table, item in (
        ("jobs", examples.job()),
        ("runs", examples.run()),
        ("webhooks", examples.webhook()),
        ("webhook_deliveries", examples.delivery()),
        ("tokens", examples.token()),
        ("server_versions", examples.server_version()),
        ("oauth_clients", examples.client()),
        ("oauth_grants", examples.grant()),
    ):
        assert {field.name for field in fields(item)} <= set(metadata.tables[table].columns.keys())
