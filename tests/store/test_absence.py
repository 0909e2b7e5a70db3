"""A database that goes away while the gateway serves, and comes back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import psycopg
import pytest
from psycopg import sql

from gateway.domain.run import RunStatus
from gateway.store import Store
from gateway.store.errors import StoreUnavailable
from tests.jobs.test_runner import a_runner
from tests.postgres import Postgres, postgres
from tests.store import examples

__all__ = ["postgres"]

GUARD_S = 30.0


@contextmanager
def away(cluster: Postgres, url: str) -> Iterator[None]:
    """End every connection to a database and let nobody in while the body runs."""
    name = urlsplit(url).path.lstrip("/")
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
        admin.execute(allow.format(sql.Identifier(name), sql.Literal(False)))
        admin.execute(end, (name,))
        try:
            yield
        finally:
            admin.execute(allow.format(sql.Identifier(name), sql.Literal(True)))


async def test_a_database_that_is_away_is_one_sentence_and_used_again_when_it_is_back(
    postgres: Postgres, tmp_path: Path
) -> None:
    """Ours: reading and writing say so, nothing is lost, no restart is needed."""
    job = examples.job()
    with postgres.database() as url, anyio.fail_after(GUARD_S):
        async with Store.open(url, path=tmp_path / "unused") as store:
            await store.jobs.add(job)
            with away(postgres, url):
                for _ in range(3):
                    with pytest.raises(StoreUnavailable):
                        await store.jobs.get(job.id)
                    with pytest.raises(StoreUnavailable):
                        await store.jobs.add(examples.job())
            assert await store.jobs.all() == (job,)
            assert await store.jobs.delete(job.id)


async def test_runs_are_claimed_again_once_the_database_is_back(
    postgres: Postgres, tmp_path: Path
) -> None:
    """Ours: the runner waits and goes on; a run that was queued meanwhile by others is found."""
    with postgres.database() as url, anyio.fail_after(GUARD_S):
        async with (
            Store.open(url, path=tmp_path / "unused") as store,
            a_runner(store, tmp_path) as runner,
        ):
            with away(postgres, url), pytest.raises(StoreUnavailable):
                await runner.submit(examples.run())
            # The runner refuses it for want of a key, which is as good as any end.
            run = await runner.submit(examples.run())
            assert (await runner.wait(run.id)).status is RunStatus.FAILED
