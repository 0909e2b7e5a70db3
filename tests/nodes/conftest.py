"""A real PostgreSQL, and gateways without servers and without the model that share it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import update

from gateway.auth.run_tokens import RunTokens
from gateway.domain.node import Newcomer
from gateway.jobs.clock import Clock
from gateway.jobs.limits import RunLimits
from gateway.jobs.options import AgentConfig
from gateway.jobs.runner import Runner
from gateway.nodes import Membership
from gateway.store import Store
from gateway.store.schema import nodes
from tests.jobs.parts import Gate
from tests.postgres import postgres
from tests.store.conftest import migrated_database, remove_rows

__all__ = ["migrated_database", "postgres"]


@pytest.fixture
def url(migrated_database: str) -> Iterator[str]:
    """A database as after a first start."""
    yield migrated_database
    remove_rows(migrated_database)


@dataclass(frozen=True, slots=True)
class Peer:
    """A gateway that executes nothing by itself."""

    store: Store
    membership: Membership
    runner: Runner
    home: Path

    async def beat(self) -> None:
        """Do once what a node does every two seconds."""
        await self.membership.renew()
        await self.membership.look()


class Peers:
    """Gateways on one database, each with connections and a home of its own."""

    def __init__(self, url: str, folder: Path, stack: AsyncExitStack) -> None:
        self.url = url
        self._folder = folder
        self._stack = stack

    def newcomer(self, name: str, identity: str = "") -> Newcomer:
        """Return what a gateway of this name says of itself."""
        return Newcomer(name, identity or f"home-of-{name}", "1.0", 3, "http://127.0.0.1:1")

    def lease_file(self, name: str) -> Path:
        """Return the file of a gateway that says until when its runs may go on."""
        return self._folder / f"{name}.lease"

    async def store(self) -> Store:
        """Open the database once more."""
        return await self._stack.enter_async_context(
            Store.open(self.url, path=self._folder / "unused")
        )

    async def start(self, name: str, clock: Clock | None = None) -> Peer:
        """Have a gateway join; it claims nothing and beats when it is told to."""
        store, home = await self.store(), self._folder / name
        membership = Membership(store, self.newcomer(name), self.lease_file(name))
        await membership.join()
        runner = await self._stack.enter_async_context(
            Runner(
                store=store,
                home=home,
                node=name,
                clock=clock or membership.clock,
                agent=AgentConfig(None, "claude-test-model"),
                gate=Gate(),
                run_tokens=RunTokens(),
                limits=RunLimits(0),
            )
        )
        membership.carry(runner)
        return Peer(store, membership, runner, home)


@pytest.fixture
async def peers(url: str, tmp_path: Path) -> AsyncIterator[Peers]:
    """Nobody yet."""
    async with AsyncExitStack() as stack:
        yield Peers(url, tmp_path, stack)


async def silence(store: Store, name: str) -> None:
    """Have a node be one that was last heard of long ago."""
    statement = update(nodes).where(nodes.c.name == name).values(beat_at=0)
    await store.nodes._db.change(statement)  # pyright: ignore[reportPrivateUsage] - no method does that
