"""When tokens end: who is told, and when."""

import anyio
import pytest

from gateway.auth.endings import Endings
from gateway.domain.clock import utc_ms
from tests.waiting import PATIENCE_S


def test_of_several_tokens_the_last_one_counts() -> None:
    """Ours: a client that has refreshed keeps what it has open."""
    now, ended = [0], list[str]()
    endings = Endings(lambda: now[0])
    endings.listen(ended.append)
    for expires_at in (10, 30, 20):
        endings.note("a", expires_at)
    now[0] = 29
    endings.end_expired()
    assert ended == []
    now[0] = 30
    endings.end_expired()
    endings.end_expired()
    assert ended == ["a"]


async def test_what_expires_ends_at_that_time_without_a_request() -> None:
    """Issue 6, What 1: an open stream would outlive its token otherwise."""
    endings = Endings(utc_ms)
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(endings.run)
            endings.note("later", utc_ms() + 60_000)
            endings.note("soon", utc_ms() + 50)
            await endings.wait("soon")
            group.cancel_scope.cancel()


@pytest.mark.parametrize("listeners", [1, 2])
def test_everybody_who_listens_is_told_at_once(listeners: int) -> None:
    """Ours: sessions, streams, parked calls and long calls are in different rooms."""
    endings, told = Endings(), list[str]()
    for _ in range(listeners):
        endings.listen(told.append)
    endings.note("a", utc_ms() + 60_000)
    endings.end("a")
    endings.end_expired()
    assert told == ["a"] * listeners
