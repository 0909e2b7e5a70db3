"""A caller that gives up leaves the store whole, on both databases."""

import asyncio

import anyio

from gateway.store import Store
from tests.store import examples
from tests.store.conftest import Address

STEPS = 40
"""A statement takes fewer turns of the loop than this, so that each is a moment to cancel at."""


async def test_a_cancelled_scope_still_commits_what_it_began(store: Store) -> None:
    """Ours: a transaction is short; half of it is worse than its end."""
    job = examples.job()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.jobs.add(job)
    assert await store.jobs.get(job.id) == job


async def test_a_task_cancelled_at_any_moment_loses_no_connection(store: Store) -> None:
    """Ours: SQLite has one writer; if it were lost nobody could write again."""
    with anyio.fail_after(30):
        for steps in range(STEPS):
            job = examples.job()
            writing = asyncio.create_task(store.jobs.add(job))
            reading = asyncio.create_task(store.jobs.all())
            for _ in range(steps):
                await asyncio.sleep(0)
            writing.cancel()
            reading.cancel()
            await asyncio.gather(writing, reading, return_exceptions=True)
            assert await store.jobs.get(job.id) in (None, job)
        last = examples.job()
        await store.jobs.add(last)
        assert await store.jobs.get(last.id) == last


async def test_a_store_whose_owner_is_cancelled_closes_all_the_same(address: Address) -> None:
    """Ours: no thread, no connection and no log file is left."""
    job = examples.job()
    with anyio.fail_after(30), anyio.CancelScope() as scope:
        async with address.open() as store:
            await store.jobs.add(job)
            await store.jobs.all()
            scope.cancel()
            await anyio.sleep_forever()
    if address.url is None:
        assert [path.name for path in address.path.parent.iterdir()] == ["jobs.db"]
    async with address.open() as store:
        assert await store.jobs.get(job.id) == job
