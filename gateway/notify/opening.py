"""Opens the notices of a gateway."""

from dataclasses import dataclass

import anyio

from gateway.domain.clock import utc_ms
from gateway.jobs.clock import SystemClock
from gateway.notify.apprise_process import open_apprise
from gateway.notify.channels import Channels
from gateway.notify.hearer import NoticeHearer
from gateway.notify.messages import Messages
from gateway.notify.outbox import Outbox
from gateway.settings import Settings
from gateway.store import Store
from gateway.vault import Vault
from supervisor.events import Event
from supervisor.redaction import Redactor


@dataclass(frozen=True, slots=True)
class Notify:
    """The parts of this room that others use."""

    channels: Channels
    outbox: Outbox
    hearer: NoticeHearer
    messages: Messages

    def hear(self, event: Event) -> None:
        """Take what the supervisor tells."""
        self.hearer.hear(event)
        self.messages.hear(event)

    async def run(self) -> None:
        """Store what the supervisor tells and send what is stored, until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.hearer.run)
            group.start_soon(self.messages.run)
            group.start_soon(self.outbox.run)


async def open_notify(settings: Settings, store: Store, vault: Vault, redactor: Redactor) -> Notify:
    """Return the notices of a gateway; `Notify.run` has to run for them to be sent.

    Raises StoreError.
    """
    channels = Channels(store, vault, redactor, open_apprise(settings), utc_ms)
    await channels.load()
    outbox = Outbox(store, channels, SystemClock(), redactor)
    messages = Messages(store.notices, store.channels, utc_ms)
    return Notify(channels, outbox, NoticeHearer(store.notices, utc_ms), messages)
