"""The dead man's switch: what a service outside hears, and when it hears nothing."""

import logging

import anyio
import anyio.lowlevel
import pytest

from gateway.notify.heartbeat import Heartbeat, failure_told
from gateway.secret import Secret
from tests.notify.receiver import Got, Receiver

WAIT_S = 30


class Broken(Exception):
    """An error that ends the gateway."""


async def beats(heartbeat: Heartbeat, receiver: Receiver, count: int) -> list[Got]:
    """Let it beat until that many requests came."""
    got: list[Got] = []
    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            group.start_soon(heartbeat.run)
            while len(got) < count:
                got.append(await anyio.to_thread.run_sync(receiver.one))
            group.cancel_scope.cancel()
    return got


async def test_it_beats_from_when_the_gateway_is_ready(receiver: Receiver) -> None:
    """Issue 9, What 6: success pings at an interval only while ready."""
    before: list[int] = []

    async def until_ready() -> None:
        await anyio.lowlevel.checkpoint()
        before.append(receiver.got.qsize())

    heartbeat = Heartbeat(Secret(f"{receiver.url}/ping/1"), until_ready, every_s=0)
    got = await beats(heartbeat, receiver, 2)
    assert [(each.path, each.body) for each in got] == [("/ping/1", b"")] * 2
    assert before == [0]


async def at_once() -> None:
    """Be ready."""


async def test_without_an_address_nothing_beats() -> None:
    """Ours: off by default."""
    with anyio.fail_after(WAIT_S):
        await Heartbeat(None, at_once).run()


async def test_a_service_that_refuses_is_told_of_once(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Ours: one line, without the address, which is a secret."""
    receiver.status = 500
    heartbeat = Heartbeat(Secret(f"{receiver.url}/ping/1"), at_once, every_s=0)
    with caplog.at_level(logging.WARNING):
        await beats(heartbeat, receiver, 3)
    assert caplog.messages == ["The service of HEALTHCHECK_URL cannot be told: it answered 500"]


async def test_an_end_by_an_error_is_told_and_no_other(receiver: Receiver) -> None:
    """Issue 9, What 6: `/fail`; the error is what it was."""
    address = Secret(f"{receiver.url}/ping/1/?x=y")
    async with failure_told(address):
        pass
    assert receiver.all() == []
    with pytest.raises(Broken):
        async with failure_told(address):
            raise Broken
    assert [got.path for got in receiver.all()] == ["/ping/1/fail?x=y"]
    receiver.status = 500
    with pytest.raises(Broken):
        async with failure_told(address):
            raise Broken
