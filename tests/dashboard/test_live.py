"""The fragments behind the streams: one rendering for all, sent as they change."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.dashboard.fragment import Listing, Rendered
from gateway.dashboard.live import BEAT_S, HEALTH_S, MAX_FOLLOWED, TICK_S, Live, UnknownFragment
from gateway.dashboard.seen import Seen
from gateway.store import StoreError
from tests.dashboard.parts import Clock, Shown

TABS = 50


class Source:
    """A fragment that a test changes; counts how often it was rendered."""

    def __init__(self, rendered: Rendered = "one", *, ticks: bool = False) -> None:
        self.rendered = rendered
        self.renderings = 0
        self.error: StoreError | None = None
        self.clock = Clock()
        self.live = Live(self.clock)
        self.live.register("source", self.render, ticks=ticks)

    async def render(self, argument: str) -> Rendered:
        self.renderings += 1
        if self.error is not None:
            raise self.error
        return self.rendered

    def tab(self) -> AsyncIterator[str | None]:
        """Open a page that follows it."""
        return self.live.updates(["source"])


async def following(tab: AsyncIterator[str | None]) -> asyncio.Task[str | None]:
    """Return a task that waits for the tab's next event, and does wait already."""

    async def wait() -> str | None:
        return await anext(tab)

    task = asyncio.create_task(wait())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    return task


def read(event: str | None) -> Any:
    """Return the patches of an event."""
    assert event is not None
    return json.loads(event)


async def test_fifty_tabs_cost_one_rendering_each_time_something_changes() -> None:
    """Issue 8, Shows: each fragment is rendered once for all tabs."""
    source = Source()
    tabs = [source.tab() for _ in range(TABS)]
    async with asyncio.timeout(10):
        for tab in tabs:
            assert read(await anext(tab)) == [{"live": "source", "html": "one"}]
        waiting = [await following(tab) for tab in tabs]
        source.rendered = "two"
        source.clock.now_s += BEAT_S
        source.live.changed("source")
        events = await asyncio.gather(*waiting)
    assert set(events) == {'[{"live": "source", "html": "two"}]'}
    assert source.renderings == 2


async def test_a_tab_gets_at_most_one_event_a_beat() -> None:
    """Issue 8, Shows: at most one event a second, whatever happens meanwhile."""
    source = Source()
    tab = source.tab()
    async with asyncio.timeout(10):
        await anext(tab)
        for text in ("two", "three"):
            task = await following(tab)
            for step in range(5):
                source.rendered = f"{text} {step}"
                source.live.changed("source")
                await asyncio.sleep(0)
                assert not task.done(), "too early"
            source.clock.now_s += BEAT_S
            source.live.look_round()
            assert read(await task) == [{"live": "source", "html": f"{text} 4"}]
    assert source.renderings == 3


async def test_health_does_not_wait_for_the_beat() -> None:
    """Issue 8, Shows: a crash is on the page within half a second, between two events too."""
    source = Source()
    tab = source.tab()
    async with asyncio.timeout(10):
        await anext(tab)
        task = await following(tab)
        source.rendered = "crashed"
        source.clock.now_s += HEALTH_S
        source.live.health_changed("source")
        assert read(await task) == [{"live": "source", "html": "crashed"}]
    assert HEALTH_S < BEAT_S / 2


async def test_only_the_rows_that_changed_are_sent() -> None:
    """Ours: one crash of five hundred servers is a row; another order is the whole list."""
    rows = {"server-a": "<tr>a</tr>", "server-b": "<tr>b</tr>"}
    source = Source(Listing("<table>", rows, "</table>"))
    tab = source.tab()
    async with asyncio.timeout(10):
        whole = "<table><tr>a</tr><tr>b</tr></table>"
        assert read(await anext(tab)) == [{"live": "source", "html": whole}]
        for changed, patch in (
            ({**rows, "server-b": "<tr>B</tr>"}, {"row": "server-b", "html": "<tr>B</tr>"}),
            ({"server-b": "<tr>B</tr>"}, {"live": "source", "html": "<table><tr>B</tr></table>"}),
        ):
            task = await following(tab)
            source.rendered = Listing("<table>", changed, "</table>")
            source.clock.now_s += HEALTH_S
            source.live.health_changed("source")
            assert read(await task) == [patch]


async def test_a_slow_tab_gets_the_newest_and_nothing_twice() -> None:
    """Issue 8, What 1: it catches up by one event, however many it missed."""
    rows = {f"row-{number}": "old" for number in range(3)}
    source = Source(Listing("", rows, ""))
    slow, quick = source.tab(), source.tab()
    async with asyncio.timeout(10):
        await anext(slow)
        await anext(quick)
        for number in range(3):
            task = await following(quick)
            rows = {**rows, f"row-{number}": f"new {number}"}
            source.rendered = Listing("", rows, "")
            source.clock.now_s += HEALTH_S
            source.live.health_changed("source")
            assert read(await task) == [{"row": f"row-{number}", "html": f"new {number}"}]
        caught_up = [{"row": f"row-{n}", "html": f"new {n}"} for n in range(3)]
        assert read(await anext(slow)) == caught_up


async def test_a_change_without_a_difference_sends_nothing() -> None:
    """Ours: a tab hears that the stream is alive."""
    source = Source(ticks=True)
    tab = source.tab()
    async with asyncio.timeout(10):
        await anext(tab)
        task = await following(tab)
        source.clock.now_s += TICK_S
        source.live.look_round()
        assert await task is None
    assert source.renderings == 2


async def test_what_cannot_be_read_ends_no_stream_and_stays_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ours: a fragment that fails holds up no other, is said once, and is tried each beat."""
    source, other = Source(), Source("other")
    source.live.register("other", other.render)
    tab = source.live.updates(["source", "other"])
    source.error = StoreError("The database is locked.")
    async with asyncio.timeout(10):
        assert read(await anext(tab)) == [{"live": "other", "html": "other"}]
        task = await following(tab)
        other.rendered = "other two"
        source.live.changed("other")
        source.clock.now_s += BEAT_S
        source.live.look_round()
        assert read(await task) == [{"live": "other", "html": "other two"}]
        task = await following(tab)
        source.error = None
        source.clock.now_s += BEAT_S
        source.live.look_round()
        assert read(await task) == [{"live": "source", "html": "one"}]
    assert caplog.messages == ["Open pages show 'source' as it was: The database is locked."]


async def test_nobody_looking_costs_nothing() -> None:
    """Ours: events of servers render nothing while no tab shows them, or none any more."""
    source = Source(ticks=True)
    source.live.changed("source")
    source.live.health_changed("source")
    async for _ in source.tab():
        break
    source.live.health_changed("source")
    assert source.renderings == 1


async def test_close_ends_every_stream() -> None:
    """Ours: an open tab does not hold up the end of the gateway."""
    source = Source()
    tab = source.tab()
    async with asyncio.timeout(10):
        await anext(tab)
        source.live.close()
        assert [event async for event in tab] == []


@pytest.mark.parametrize(
    "names",
    [["other"], ["source", "other:a"], ["source:" + "a" * 300], ["source"] * (MAX_FOLLOWED + 1)],
)
async def test_a_page_follows_what_rooms_have_and_no_more(names: list[str]) -> None:
    """Ours: names come from an address, so they are bounded."""
    live = Source().live
    live.check(["source", "source:any"])
    with pytest.raises(UnknownFragment):
        live.check(names)


async def test_a_page_on_which_something_is_decided_is_told_that_it_is_old() -> None:
    """Issue 8, 1: live, but what the owner decides on does not change under his hand."""
    shown, said = Shown(), {"a": 1}

    async def read(about: str) -> object:
        return said[about]

    seen = Seen("things-seen", read)
    seen.register(shown.live, shown.app.jinja_env)
    name = await seen.name("a")
    shown.live.check([name])
    assert (await shown.live.render(name)).strip() == ""
    said["a"] = 2
    assert 'role="status"' in await shown.live.render(name)
    assert '<a href="">Load it again</a>' in await shown.live.render(name)
    assert (await shown.live.render(await seen.name("a"))).strip() == ""
    said["x" * 300] = 1
    assert await seen.name("x" * 300) == ""
