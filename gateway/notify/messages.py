"""Messages that a server sends to the owner: stored like every notice, then answered.

Only servers whose metadata says "notify" are heard, and each over its own pipe: nobody can ask in
another's name, and no address of a channel leaves the gateway.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec

from gateway.domain.notice import Notice, Occasion
from gateway.notify.wording import MAX_TEXT, MAX_TITLE, make
from gateway.store import NoticeTable, StoreError
from gateway.store.channels import ChannelTable
from gateway.write_behind import WriteBehind
from supervisor.children.asking import ChildRequest
from supervisor.children.wire import encode
from supervisor.events import Event, NotifyAsked

MAX_WAITING = 50
MOST = 30
"""Of one server in an hour; the outbox gathers them much earlier."""
HOUR_MS = 3_600_000
NO_CHANNEL = (
    "No channel takes messages of servers. The owner adds one with: ./claude-runner notify add "
    "NAME, or has one take them on the dashboard's page of notifications."
)


class _Message(msgspec.Struct, frozen=True):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TITLE)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]


@dataclass(frozen=True, slots=True)
class _Asked:
    notice: Notice
    request: ChildRequest


class Messages:
    """Hears requests from the moment it is made; stores and answers while `run` runs."""

    def __init__(
        self, table: NoticeTable, channels: ChannelTable, now_ms: Callable[[], int]
    ) -> None:
        self._table = table
        self._channels = channels
        self._now_ms = now_ms
        self._waiting: deque[_Asked] = deque()
        self._taken: dict[str, deque[int]] = defaultdict(deque)
        """When each server's messages of the last hour were taken."""
        self._behind = WriteBehind(self._write)

    def hear(self, event: Event) -> None:
        """Take a message, or refuse it with a sentence."""
        if not isinstance(event, NotifyAsked):
            return
        why = self._why_not(event.server)
        if why:
            event.request.refuse(why)
            return
        try:
            said = msgspec.json.decode(event.request.params or b"", type=_Message)
        except msgspec.DecodeError as error:
            event.request.refuse(f"The message cannot be sent: {error}.")
            return
        now = self._now_ms()
        self._taken[event.server].append(now)
        notice = make(
            Occasion.MESSAGE, event.server, f"{event.server}: {said.title}", said.text, now
        )
        self._waiting.append(_Asked(notice, event.request))
        self._behind.wake()

    async def run(self) -> None:
        """Store until cancelled."""
        await self._behind.run()

    def _why_not(self, server: str) -> str:
        """Return why no message of a server is taken now; empty: it is."""
        taken = self._taken[server]
        while taken and taken[0] <= self._now_ms() - HOUR_MS:
            taken.popleft()
        if len(taken) >= MOST:
            return f"Server {server!r} has sent {MOST} messages within an hour; send it later."
        if len(self._waiting) >= MAX_WAITING:
            return f"{MAX_WAITING} messages wait to be stored; send it later."
        return ""

    async def _write(self) -> bool:
        """Store what waits, and answer; a message that the database does not take is refused."""
        while self._waiting:
            asked = self._waiting.popleft()
            try:
                await self._store(asked)
            except StoreError as error:
                asked.request.refuse(f"The message was not stored: {error}")
        return True

    async def _store(self, asked: _Asked) -> None:
        takers = [
            channel.name
            for channel in await self._channels.all()
            if Occasion.MESSAGE in channel.occasions
        ]
        if not takers:
            asked.request.refuse(NO_CHANNEL)
            return
        await self._table.add(asked.notice)
        asked.request.answer(encode({"notice_id": asked.notice.id, "channels": takers}))
