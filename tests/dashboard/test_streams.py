"""How many tabs may be open."""

import asyncio
import gc

import pytest
from werkzeug.exceptions import ServiceUnavailable

from gateway.dashboard.streams import MAX_STREAMS, MAX_STREAMS_OF_SESSION, Streams
from tests.dashboard.parts import Shown, sign_in


def test_a_session_has_some_places_and_all_together_have_more() -> None:
    """Ours: a place is free again when its stream is gone, however that came."""
    streams = Streams()
    own = [streams.take("a") for _ in range(MAX_STREAMS_OF_SESSION)]
    with pytest.raises(ServiceUnavailable):
        streams.take("a")
    others = [streams.take(f"b{n}") for n in range(MAX_STREAMS - MAX_STREAMS_OF_SESSION)]
    with pytest.raises(ServiceUnavailable):
        streams.take("c")
    own.pop()
    gc.collect()
    others.append(streams.take("a"))


async def test_tabs_that_open_at_once_are_counted_before_they_are_answered() -> None:
    """Ours: none slips in between the look and the count; closed ones make room."""
    client = await sign_in(Shown())
    tabs = MAX_STREAMS_OF_SESSION + 3
    answered = asyncio.Barrier(tabs)

    async def tab() -> bool:
        async with client.request("/events?live=runs") as connection:
            await connection.send_complete()
            first = await connection.receive()
            await answered.wait()
            await connection.disconnect()
        return first.startswith(b"retry: ")

    for _ in range(2):
        async with asyncio.timeout(10):
            streaming = await asyncio.gather(*(tab() for _ in range(tabs)))
        assert sum(streaming) == MAX_STREAMS_OF_SESSION
        gc.collect()
