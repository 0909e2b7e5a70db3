"""When notices go out: once each, tried again, gathered when there are too many."""

import json
import signal
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from gateway.domain.notice import (
    ChannelKind,
    Notice,
    NoticeState,
    Occasion,
    SendingState,
    new_notice,
)
from gateway.notify.pacing import MOST, PAUSES_MS, WINDOW_MS, again_at
from gateway.store.copying import hold_notices
from gateway.store.notices import IN_SUMMARY
from gateway.variables import CHECKOUT
from tests.notify.parts import START, Desk, open_desk
from tests.notify.receiver import Receiver

KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
import anyio
import anyio.to_thread
from pathlib import Path
from tests.notify.parts import open_desk
async def main():
    async with open_desk(Path(sys.argv[2])) as desk:
        await desk.happen()
anyio.run(main)
"""


def titles(receiver: Receiver) -> list[str]:
    """Return the first lines of what came in Slack's form."""
    return [json.loads(got.body)["text"].split("\n")[0].strip("*") for got in receiver.all()]


async def test_a_notice_goes_to_who_wants_it(desk: Desk, receiver: Receiver) -> None:
    """Ours: a channel hears of the occasions that its owner chose."""
    chosen = frozenset({Occasion.PAUSED})
    await desk.channel(f"{receiver.url}/paused", name="paused", occasions=chosen)
    await desk.channel(f"{receiver.url}/usual")
    await desk.happen()
    assert [got.path for got in receiver.all()] == ["/usual"]
    (kept,) = await desk.store.notices.newest(10)
    assert (kept.state, [each.state for each in kept.sendings]) == (
        NoticeState.TOLD,
        [SendingState.SENT],
    )
    await desk.outbox.empty()
    assert receiver.all() == []


async def test_a_gateway_killed_in_the_middle_sends_again(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Issue 7, 8: at least once; the receiver knows the second one by its id."""
    async with open_desk(tmp_path) as desk:
        await desk.channel(f"{receiver.url}/in", kind=ChannelKind.WEBHOOK)
    command = [sys.executable, "-I", "-c", KILLED, str(CHECKOUT), str(tmp_path)]
    async with await anyio.open_process(command) as process:
        receiver.before_answer = process.kill
        with anyio.fail_after(60):
            assert await process.wait() == -signal.SIGKILL
    receiver.before_answer = None
    async with open_desk(tmp_path) as desk:
        await desk.outbox.empty()
        (kept,) = await desk.store.notices.newest(10)
    first, second = receiver.all()
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == kept.notice.id
    assert first.body == second.body
    assert [each.state for each in kept.sendings] == [SendingState.SENT]


async def test_a_storm_is_told_together(desk: Desk, receiver: Receiver) -> None:
    """Issue 7, 8: so many of a kind an hour, then one summary; another kind is not held up."""
    await desk.channel(receiver.url)
    happened = MOST + IN_SUMMARY + 2
    for number in range(happened):
        desk.clock.now += 1000
        await desk.store.notices.add(a_notice(desk, f"Job {number} failed"))
        if number <= MOST:
            await desk.outbox.empty()
    assert titles(receiver) == [f"Job {number} failed" for number in range(MOST)]
    await desk.store.notices.add(_paused(desk))
    await desk.outbox.empty()
    assert titles(receiver) == ["Webhook ci is paused"]
    assert await desk.store.notices.next_at(WINDOW_MS) == START + (MOST + 1) * 1000 + WINDOW_MS
    desk.clock.now = START + (MOST + 1) * 1000 + WINDOW_MS
    await desk.outbox.empty()
    (summary,) = receiver.all()
    lines = json.loads(summary.body)["text"].split("\n")
    assert lines[0] == f"*{happened - MOST} more times within an hour: jobs or webhooks failed*"
    assert (lines[1], lines[-1]) == (f"- Job {MOST} failed", "and 2 more")
    desk.clock.now += 1000
    await desk.happen("Job 41 failed")
    assert titles(receiver) == ["Job 41 failed"]


async def test_a_channel_that_is_away_is_tried_ever_more_seldom(
    desk: Desk, receiver: Receiver
) -> None:
    """Issue 7, 8: bounded attempts with growing pauses, and nobody else waits for it."""
    away = await desk.channel(f"{receiver.url}/away", name="away")
    receiver.status = 503
    await desk.happen("first")
    desk.clock.now += 1000
    await desk.happen("second")
    assert len(receiver.all()) == 2
    while (next_at := await desk.store.notices.next_at(WINDOW_MS)) is not None:
        desk.clock.now = next_at
        await desk.outbox.empty()
    tries = len(receiver.all())
    assert tries <= 2 * len(PAUSES_MS) + 2
    states = [each.sendings[0].state for each in await desk.store.notices.newest(10)]
    assert states == [SendingState.GIVEN_UP] * 2
    (shown,) = await desk.channels.all()
    assert (shown.id, shown.error, shown.sent_at) == (away.id, "it answered 503", None)


async def test_what_waited_goes_out_when_the_channel_is_back(
    desk: Desk, receiver: Receiver
) -> None:
    """Ours: one success shows that the others need not wait any longer."""
    await desk.channel(receiver.url)
    receiver.status = 500
    await desk.happen("first")
    desk.clock.now += 1
    await desk.happen("second")
    receiver.status = 204
    assert len(receiver.all()) == 2
    desk.clock.now += PAUSES_MS[0]
    await desk.outbox.empty()
    assert titles(receiver) == ["first", "second"]
    (shown,) = await desk.channels.all()
    assert (shown.sent_at, shown.failed_at, shown.error) == (desk.clock.now, None, None)


async def test_a_restored_copy_sends_nothing_that_may_have_been_sent(tmp_path: Path) -> None:
    """Ours: what waited for a channel, or for its turn, is shown with the reason."""
    async with open_desk(tmp_path / "home") as old:
        await old.channel("http://127.0.0.1:9/nobody")
        tried = await old.happen()
        new = new_notice(Occasion.PAUSED, "job_2", "Paused", "It is.", START + 1)
        await old.store.notices.add(new)
    assert hold_notices(tmp_path / "home" / "jobs.db", "Restored.", START) == 2
    async with open_desk(tmp_path / "home") as restored:
        restored.clock.now = START + 2 * PAUSES_MS[0]
        await restored.outbox.empty()
        assert await restored.store.notices.next_at(WINDOW_MS) is None
        kept = await restored.store.notices.newest(10)
        assert [(each.notice, each.state) for each in kept] == [
            (new, NoticeState.RESTORED),
            (tried, NoticeState.TOLD),
        ]
        (sending,) = kept[1].sendings
        assert (sending.state, sending.error) == (SendingState.GIVEN_UP, "Restored.")
        assert kept[0].sendings == ()


async def test_a_removed_channel_gets_nothing(desk: Desk, receiver: Receiver) -> None:
    """Ours: what waits for it goes with it."""
    await desk.channel(receiver.url)
    receiver.status = 500
    await desk.happen()
    await desk.channels.remove("here")
    desk.clock.now += WINDOW_MS
    await desk.outbox.empty()
    assert len(receiver.all()) == 1
    assert await desk.store.notices.next_at(WINDOW_MS) is None


@pytest.mark.parametrize(
    ("attempts", "age", "expected"),
    [
        (1, 0, START + PAUSES_MS[0]),
        (7, 0, START + PAUSES_MS[6]),
        (8, 0, None),
        (1, 90_000_000, None),
    ],
)
def test_pauses_grow_and_end(attempts: int, age: int, expected: int | None) -> None:
    """Ours."""
    assert again_at(attempts, START - age, START) == expected


async def test_the_outbox_wakes_for_a_notice(desk: Desk, receiver: Receiver) -> None:
    """Ours: a stored notice does not wait for the clock to be looked at."""
    await desk.channel(receiver.url)
    async with anyio.create_task_group() as group:
        group.start_soon(desk.outbox.run)
        await anyio.wait_all_tasks_blocked()
        await desk.store.notices.add(_paused(desk))
        assert (await anyio.to_thread.run_sync(receiver.one)).path == "/"
        group.cancel_scope.cancel()


def a_notice(desk: Desk, title: str) -> Notice:
    """Return a notice of a failure."""
    return new_notice(Occasion.RUN_FAILED, "job_1", title, "It broke.", desk.clock.now)


def _paused(desk: Desk) -> Notice:
    return new_notice(Occasion.PAUSED, "webhook_1", "Webhook ci is paused", "Why.", desk.clock.now)
