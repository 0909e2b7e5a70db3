"""What of the supervisor's events becomes a notice."""

import anyio

from gateway.domain.notice import Occasion
from gateway.notify.hearer import MAX_WAITING, NoticeHearer
from supervisor.events import ServerState, StateChanged, ToolQuarantined
from tests.notify.parts import Desk

S = ServerState


async def test_quarantine_is_told_once_and_so_is_its_end(desk: Desk) -> None:
    """Issue 7, 8: a slow retry that dies again is no news."""
    hearer = NoticeHearer(desk.store.notices, desk.clock.now_ms)
    rung = desk.store.notices.next_ring()
    for before, after in (
        (S.STARTING, S.READY),
        (S.READY, S.BACKOFF),
        (S.BACKOFF, S.QUARANTINED),
        (S.QUARANTINED, S.STARTING),
        (S.STARTING, S.QUARANTINED),
        (S.QUARANTINED, S.STARTING),
        (S.STARTING, S.READY),
        (S.READY, S.STOPPED),
    ):
        desk.clock.now += 1
        hearer.hear(StateChanged("email", before, after, "6 deaths within 60 s"))
    desk.clock.now += 1
    hearer.hear(ToolQuarantined("email", "send", "its definition changed"))
    async with anyio.create_task_group() as group:
        group.start_soon(hearer.run)
        await rung.wait()
        group.cancel_scope.cancel()
    found = [each.notice for each in await desk.store.notices.newest(10)]
    assert [(notice.occasion, notice.subject) for notice in found] == [
        (Occasion.TOOL_WITHHELD, "email"),
        (Occasion.SERVER_RESTORED, "email"),
        (Occasion.SERVER_QUARANTINED, "email"),
    ]
    assert "6 deaths within 60 s" in found[2].text


async def test_a_quarantine_that_ends_after_a_restart_is_told_to_have_ended(desk: Desk) -> None:
    """Ours: what a gateway told, the next one takes back; a server that was well is no news."""
    quarantined = StateChanged("email", S.BACKOFF, S.QUARANTINED, "6 deaths within 60 s")
    ready = StateChanged("email", S.STARTING, S.READY, "")
    for heard in (quarantined, StateChanged("notes", S.STARTING, S.READY, ""), ready, ready):
        desk.clock.now += 1
        hearer = NoticeHearer(desk.store.notices, desk.clock.now_ms)
        hearer.hear(heard)
        # Ended at once: what was heard is stored all the same.
        with anyio.CancelScope() as scope:
            scope.cancel()
            await hearer.run()
    found = [each.notice for each in await desk.store.notices.newest(10)]
    assert [(notice.occasion, notice.subject) for notice in found] == [
        (Occasion.SERVER_RESTORED, "email"),
        (Occasion.SERVER_QUARANTINED, "email"),
    ]


async def test_what_waits_is_bounded(desk: Desk) -> None:
    """Ours: a database that is away fills no memory."""
    hearer = NoticeHearer(desk.store.notices, desk.clock.now_ms)
    for number in range(MAX_WAITING + 5):
        hearer.hear(ToolQuarantined("email", f"tool_{number}", "it changed"))
    assert len(hearer._waiting) == MAX_WAITING  # pyright: ignore[reportPrivateUsage] - nothing else shows it
