"""The fragment behind the stream: one rendering for all, pushed when it differs."""

import asyncio

from gateway.dashboard.live import MIN_INTERVAL_S, LiveFragment
from tests.dashboard.parts import Clock


class Source:
    """Text that a test changes; counts how often it was rendered."""

    def __init__(self) -> None:
        self.text = "one"
        self.renderings = 0
        self.clock = Clock()
        self.fragment = LiveFragment(self.render, self.clock)

    async def render(self) -> str:
        self.renderings += 1
        return self.text


async def test_many_readers_share_one_rendering() -> None:
    """Ours: fifty tabs cost one."""
    source = Source()
    async with asyncio.timeout(5):
        texts = await asyncio.gather(*(source.fragment.newest() for _ in range(50)))
    assert (set(texts), source.renderings) == ({"one"}, 1)


async def test_change_reaches_a_waiting_reader() -> None:
    """Ours: an event is shown at once, not at the next tick."""
    source = Source()
    updates = source.fragment.updates()
    async with asyncio.timeout(5):
        assert await anext(updates) == "one"
        following = asyncio.ensure_future(anext(updates))
        await asyncio.sleep(0)
        source.text = "two"
        source.clock.now_s += MIN_INTERVAL_S
        source.fragment.mark_changed()
        assert await following == "two"


async def test_change_without_difference_yields_nothing_new() -> None:
    """Ours: an event that changes no cell costs a tab nothing."""
    source = Source()
    updates = source.fragment.updates()
    async with asyncio.timeout(5):
        await anext(updates)
        source.fragment.mark_changed()
        assert await anext(updates) is None


async def test_close_ends_every_stream() -> None:
    """Ours: an open tab does not hold up the end of the gateway."""
    source = Source()
    updates = source.fragment.updates()
    async with asyncio.timeout(5):
        await anext(updates)
        source.fragment.close()
        assert [text async for text in updates] == []
