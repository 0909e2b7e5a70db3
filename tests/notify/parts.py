"""What the tests of notices share: a store, its channels and an outbox on a clock that they set."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from gateway.domain.notice import USUAL, Channel, ChannelKind, Notice, Occasion, new_notice
from gateway.notify.apprise_process import Apprise
from gateway.notify.channels import Channels, Wish
from gateway.notify.outbox import Outbox
from gateway.secret import Secret
from gateway.store import Store
from gateway.vault import KeySources, Vault
from supervisor.redaction import Redactor
from tests.databases import open_store

START = 1_800_000_000_000
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class SetClock:
    """Stands where a test sets it."""

    now: int = START

    def now_ms(self) -> int:
        return self.now

    async def sleep_until(self, instant: int | None) -> None:
        await anyio.sleep_forever()


@dataclass
class Desk:
    """The notices of a gateway that sends when it is told to."""

    folder: Path
    store: Store
    channels: Channels
    outbox: Outbox
    clock: SetClock
    redactor: Redactor

    async def channel(
        self,
        address: str,
        kind: ChannelKind = ChannelKind.SLACK,
        name: str = "here",
        occasions: frozenset[Occasion] = USUAL,
    ) -> Channel:
        """Add a channel."""
        secret = Secret(SIGNING) if kind is ChannelKind.WEBHOOK else None
        added, _ = await self.channels.add(Wish(name, kind, Secret(address), occasions, secret))
        return added

    async def happen(self, title: str = "Job brief failed") -> Notice:
        """Store a notice and send what is due."""
        notice = new_notice(Occasion.RUN_FAILED, "job_1", title, "It broke.", self.clock.now)
        await self.store.notices.add(notice)
        await self.outbox.empty()
        return notice


@asynccontextmanager
async def open_desk(folder: Path) -> AsyncGenerator[Desk]:
    """Open a desk over what is in `folder`."""
    folder.mkdir(exist_ok=True)
    async with open_store(folder / "jobs.db") as store:
        vault = await Vault.open(KeySources(folder / "master.key"), store.data_keys)
        clock, redactor = SetClock(), Redactor()
        apprise = Apprise({}, anyio.CapacityLimiter(1))
        channels = Channels(store, vault, redactor, apprise, clock.now_ms)
        await channels.load()
        yield Desk(
            folder, store, channels, Outbox(store, channels, clock, redactor), clock, redactor
        )
