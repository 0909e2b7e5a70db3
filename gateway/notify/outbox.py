"""Sends what the store's outbox holds: at least once, with growing pauses, a channel at a time.

Nothing that happens waits for this: it reads what was stored with it.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence

import anyio

from gateway.domain.notice import Notice, Occasion, Sending, new_notice
from gateway.jobs.clock import Clock, wait_until
from gateway.notify.channels import Channels
from gateway.notify.errors import NoSuchChannel, NotSent
from gateway.notify.pacing import MOST, WINDOW_MS, again_at
from gateway.notify.wording import summary
from gateway.store import Store, StoreError
from supervisor.redaction import Redactor

log = logging.getLogger(__name__)

BATCH = 100
"""Sendings that are looked at together."""
STORE_PAUSE_S = 5.0


class Outbox:
    """Goes through the outbox while `run` runs."""

    def __init__(self, store: Store, channels: Channels, clock: Clock, redactor: Redactor) -> None:
        self._store = store
        self._channels = channels
        self._clock = clock
        self._redactor = redactor

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            rung = self._store.notices.next_ring()
            try:
                async with self._store.notices.turn() as is_ours:
                    if is_ours:
                        await self.empty()
                if not is_ours:
                    # Whoever sends now may have looked before our notice was stored.
                    await anyio.sleep(STORE_PAUSE_S)
                    continue
                next_at = await self._store.notices.next_at(WINDOW_MS)
            except StoreError as error:
                log.warning("Notices are not sent yet: %s", error)
                await anyio.sleep(STORE_PAUSE_S)
            else:
                await wait_until(self._clock, next_at, rung)

    async def empty(self) -> None:
        """Send everything whose time has come. Raises StoreError."""
        notices = self._store.notices
        while True:
            now = self._clock.now_ms()
            await notices.settle(now, most=MOST, window_ms=WINDOW_MS, summarise=summary)
            due = await notices.due(now, BATCH)
            if not due:
                return
            await self._send_all(due)

    async def test(self, named: str) -> None:
        """Send a test through a channel now. Raises NoSuchChannel, NotSent and StoreError."""
        channel = await self._channels.find(named)
        await self._channels.send(channel.id, _test_notice(channel.id, self._clock.now_ms()))

    async def _send_all(self, due: Sequence[Sending]) -> None:
        by_channel: dict[str, list[Sending]] = defaultdict(list)
        for sending in due:
            by_channel[sending.channel_id].append(sending)
        failures: list[StoreError] = []

        async def send(mine: list[Sending]) -> None:
            try:
                await self._send_through_one(mine)
            except StoreError as error:
                failures.append(error)

        async with anyio.create_task_group() as group:
            for mine in by_channel.values():
                group.start_soon(send, mine)
        if failures:
            raise failures[0]

    async def _send_through_one(self, mine: Sequence[Sending]) -> None:
        """Send in order until the channel does not take one. Raises StoreError."""
        for sending in mine:
            try:
                await self._channels.send(sending.channel_id, self._hidden(sending.notice))
            except NoSuchChannel:
                # Removed this moment; its sendings went with it.
                return
            except NotSent as error:
                await self._note_failure(sending, str(error))
                return
            await self._store.notices.sent(sending, self._clock.now_ms())

    async def _note_failure(self, sending: Sending, why: str) -> None:
        now, why = self._clock.now_ms(), self._redactor.hide_text(why)
        again = again_at(sending.attempts + 1, sending.notice.at, now)
        await self._store.notices.failed(sending, now, why, again_at=again)
        then = "it is given up" if again is None else f"again in {(again - now) // 1000} s"
        log.warning(
            "Notice %s did not go through channel %s (%s); %s",
            sending.notice.id,
            sending.channel_id,
            why,
            then,
        )

    def _hidden(self, notice: Notice) -> Notice:
        title, text = map(self._redactor.hide_text, (notice.title, notice.text))
        return Notice(notice.id, notice.occasion, notice.subject, title, text, notice.at)


def _test_notice(channel_id: str, now: int) -> Notice:
    return new_notice(
        Occasion.RUN_FAILED,
        channel_id,
        "Test of a channel",
        "This is a test: nothing has failed. Notices of this gateway come this way.",
        now,
    )
