"""What readers of a run get: everything once, in order, from wherever they were."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from gateway.domain.live import START, LiveEvent, MessageCame, Place, StatusIs, TextCame, read_place
from gateway.domain.run import Run, RunMessage, RunResult, RunStatus
from gateway.jobs.draft import MAX_DRAFT_CHARS, Draft
from gateway.jobs.errors import RunNotFound, TooManyReaders
from gateway.jobs.feed import KEPT_CHARS, KEPT_MESSAGES, Feed
from gateway.jobs.feeds import Feeds
from gateway.standin import ModelRequest, Reply, Say
from gateway.store import Store
from supervisor.redaction import Redactor
from tests.databases import open_store
from tests.jobs.parts import CLI_GUARD_S, Parts, a_run
from tests.waiting import PATIENCE_S

GUARD_S = PATIENCE_S
SECRET = "a-secret-of-this-test-0815"


def message(seq: int, kind: str = "assistant", text: str = "said") -> RunMessage:
    """Return a message of the run under test."""
    return RunMessage("run_1", seq, kind, json.dumps({"content": [{"text": text}]}), 1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store with one claimed run."""
    async with open_store(tmp_path / "jobs.db") as opened:
        await opened.runs.add(a_run(id="run_1"))
        await opened.runs.claim("run_1", 1)
        yield opened


async def end(store: Store, feeds: Feeds) -> None:
    """End the run."""
    await store.runs.finish("run_1", 1, RunResult(RunStatus.SUCCEEDED), 2)
    feeds.mark("run_1")


async def told(feeds: Feeds, place: Place) -> list[LiveEvent]:
    """Return everything that a reader of an ended run gets."""
    with anyio.fail_after(GUARD_S):
        return [event async for events in feeds.follow("run_1", place) for event in events]


def assembled(events: list[LiveEvent]) -> list[object]:
    """Return what a reader has at the end: the numbers of messages, and the text behind them."""
    has: list[object] = []
    draft = ""
    for event in events:
        if isinstance(event, MessageCame):
            has.append(event.message.seq)
            draft = ""
        elif isinstance(event, TextCame):
            draft = event.text if event.restart else draft + event.text
    return [*has, draft]


def test_numbers_are_read_as_they_are_written() -> None:
    """Ours."""
    assert read_place(str(Place(12, 345))) == Place(12, 345)
    for wrong in ("", "12", "-1.0", "1.2.3", "x", "1.", "9" * 10 + ".0"):
        with pytest.raises(ValueError, match="number of an event"):
            read_place(wrong)


def test_a_text_comes_once_however_often_a_reader_comes_back() -> None:
    """Issue 7, What 5: reconnect without loss and without doubles."""
    draft, have, at = Draft(str), "", 0
    for word in ("one ", "two ", "three "):
        draft.write(word)
        piece = draft.after(at)
        assert piece is not None
        assert (piece.text, piece.restart) == (word, False)
        have, at = have + piece.text, piece.end
        assert draft.after(at) is None
    whole = draft.after(0)
    assert whole is not None
    assert (whole.text, whole.end) == (have, at)


def test_a_text_that_was_given_up_is_begun_anew() -> None:
    """Ours: the CLI asks again after a torn answer; the first half is void for everybody."""
    draft = Draft(str)
    draft.write("torn ")
    first = draft.after(0)
    assert first is not None
    draft.begin()
    assert draft.after(first.end) is None
    draft.write("who")
    for at in (0, first.end):
        piece = draft.after(at)
        assert piece is not None
        assert (piece.text, piece.restart) == ("who", True)
    last = draft.after(first.end)
    assert last is not None
    draft.write("le")
    rest = draft.after(last.end)
    assert rest is not None
    assert (rest.text, rest.restart) == ("le", False)


def test_a_text_behind_a_message_waits_until_that_is_stored() -> None:
    """Ours: nothing comes out of order, and the text is not shown beside its own message."""
    draft = Draft(str)
    draft.write("first")
    draft.close(4)
    draft.begin()
    draft.write("second")
    piece = draft.after(0)
    assert piece is not None
    assert piece.text == "first"
    draft.published(4)
    draft.published(5)
    piece = draft.after(0)
    assert piece is not None
    assert piece.text == "second"
    draft.write("x" * MAX_DRAFT_CHARS)
    piece = draft.after(0)
    assert piece is not None
    assert len(piece.text) == MAX_DRAFT_CHARS


def test_no_piece_of_a_secret_leaves_in_a_text() -> None:
    """Issue 7: redacted before it leaves, also where chunks cut it."""
    redactor = Redactor()
    redactor.know("secret", SECRET)
    draft, have, at = Draft(redactor.hide_settled), "", 0
    for char in f"It is {SECRET}, is it? ":
        draft.write(char)
        if piece := draft.after(at):
            have, at = (piece.text if piece.restart else have + piece.text), piece.end
            assert SECRET[:4] not in have
    assert have == "It is [secret hidden], is it? "


def test_a_text_waits_for_the_messages_before_it() -> None:
    """Ours: what a tool answered comes before what the model says to it."""
    feed = Feed(str)
    feed.publish([message(0)])
    answer = message(1, "user")
    feed.expect(answer)
    feed.write("I see")
    assert feed.after(Place(1)) == ()
    feed.publish([answer])
    assert feed.after(Place(1)) == (
        MessageCame(Place(2), answer),
        TextCame(Place(2, 5), "I see"),
    )


def test_memory_of_a_run_is_bounded() -> None:
    """Issue 7: the newest stay, by number and by size."""
    feed = Feed(str)
    feed.publish([message(seq) for seq in range(KEPT_MESSAGES + 5)])
    assert feed.after(Place(4)) is None
    newest = feed.after(Place(5))
    assert newest is not None
    assert len(newest) == KEPT_MESSAGES
    feed.publish([message(KEPT_MESSAGES + 5, text="x" * KEPT_CHARS)])
    assert feed.after(Place(KEPT_MESSAGES + 5)) is None


@pytest.mark.parametrize("live", [True, False], ids=["memory", "store"])
async def test_a_reader_goes_on_where_it_was(store: Store, *, live: bool) -> None:
    """Issue 7, What 5: from every number there is, nothing is lost and nothing comes twice."""
    feeds = Feeds(store, str)
    messages = [message(seq, kind) for seq, kind in enumerate(("system", "assistant", "user") * 30)]
    await store.runs.append_messages(messages)
    with feeds.of("run_1") as feed:
        if live:
            feed.publish(messages[40:])
        await end(store, feeds)
        for begin in range(0, len(messages) + 1, 9):
            events = await told(feeds, Place(begin))
            assert assembled(events) == [*range(begin, len(messages)), ""]
            numbers = [(each.place.messages, each.place.text) for each in events]
            assert numbers == sorted(numbers)
            assert isinstance(events[-1], StatusIs)
            assert events[-1].run.status is RunStatus.SUCCEEDED


async def test_a_slow_reader_misses_nothing_and_holds_nothing_up(store: Store) -> None:
    """Issue 7: what is no longer in memory comes from the store; the run never waits."""
    feeds = Feeds(store, str)
    with feeds.of("run_1") as feed, anyio.fail_after(GUARD_S):
        async with aclosing(feeds.follow("run_1", START)) as slow:
            seen = [*await anext(slow)]
            for first in range(0, 3 * KEPT_MESSAGES, 10):
                burst = [message(seq) for seq in range(first, first + 10)]
                await store.runs.append_messages(burst)
                feed.publish(burst)
            feed.write("and now ")
            while seen[-1].place != Place(3 * KEPT_MESSAGES, 8):
                seen += await anext(slow)
    assert assembled(seen) == [*range(3 * KEPT_MESSAGES), "and now "]


async def test_readers_are_bounded_and_leave_nothing(store: Store) -> None:
    """Issue 7: bounds on readers in all; a run that is gone ends its readers."""
    feeds = Feeds(store, str, max_readers=1)
    async with aclosing(feeds.follow("run_1", START)) as first:
        await anext(first)
        with pytest.raises(TooManyReaders):
            await anext(feeds.follow("run_1", START))
    with pytest.raises(RunNotFound):
        await anext(feeds.follow("run_2", START))
    await end(store, feeds)
    assert len(await told(feeds, START)) == 1


@pytest.mark.timeout(2 * CLI_GUARD_S)
async def test_a_live_run_is_told_text_by_text(parts: Parts) -> None:
    """Issue 7, What 5: partial text of the real CLI, then its message, without the secret."""
    finish = anyio.Event()
    redactor = Redactor()
    redactor.know("secret", SECRET)

    def script(_: ModelRequest) -> Reply:
        return Say(f"First {SECRET} and then the rest.", pieces=30, hold=finish)

    parts.api.script = script
    seen: list[LiveEvent] = []
    with anyio.fail_after(CLI_GUARD_S):
        async with parts.runner(redactor=redactor) as runner:
            run: Run = await runner.submit(a_run())
            async for events in runner.feeds.follow(run.id, START):
                seen += events
                if any("then" in each.text for each in seen if isinstance(each, TextCame)):
                    finish.set()
    assert finish.is_set()
    text = "".join(each.text for each in seen if isinstance(each, TextCame))
    assert text.startswith("[stand-in] First [secret hidden] and then")
    last = seen[-1]
    assert isinstance(last, StatusIs)
    assert last.run == await parts.store.runs.get(run.id)
    kinds = [each.message.kind for each in seen if isinstance(each, MessageCame)]
    assert kinds == ["system", "assistant", "result"]
