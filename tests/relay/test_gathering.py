"""What is written in one turn of the loop arrives in one piece, and nothing of it is lost."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import cast

import anyio
import pytest

from gateway.gathering import JOINED_BYTES, Gathering
from tests.waiting import PATIENCE_S

GUARD_S = PATIENCE_S


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Gathering, Callable[[], bytes]]]:
    """The gathering end of a connection, and what reads from its other end without waiting."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
    gathering = Gathering(cast(asyncio.Transport, transport))
    yield gathering, lambda: _read(theirs)
    gathering.abort()
    theirs.close()


def _read(sock: socket.socket) -> bytes:
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return b"(nothing yet)"


Ends = tuple[Gathering, Callable[[], bytes]]


async def test_writes_of_one_turn_go_out_together_in_the_next(ends: Ends) -> None:
    """Ours: a write for each wakes the reader for each."""
    gathering, read = ends
    gathering.write(b"head ")
    gathering.writelines([b"body ", memoryview(b"end")])
    assert read() == b"(nothing yet)"
    await anyio.lowlevel.checkpoint()
    assert read() == b"head body end"
    gathering.write(b"again")
    await anyio.lowlevel.checkpoint()
    assert read() == b"again"


async def test_what_was_written_goes_out_before_a_close(ends: Ends) -> None:
    """Ours: an answer is not lost to a gateway that stops in the same turn."""
    gathering, read = ends
    gathering.write(b"the last answer")
    gathering.close()
    assert gathering.is_closing()
    assert read() == b"the last answer"
    gathering.write(b"too late")
    await anyio.lowlevel.checkpoint()
    assert read() == b""


async def test_an_abort_sends_nothing_more(ends: Ends) -> None:
    """asyncio, Transport.abort: buffered data will be lost."""
    gathering, read = ends
    gathering.write(b"never")
    gathering.abort()
    async with asyncio.timeout(GUARD_S):
        while (got := read()) == b"(nothing yet)":
            await anyio.lowlevel.checkpoint()
    assert got == b""


async def test_long_answers_arrive_whole_and_in_order(ends: Ends) -> None:
    """Ours: what is too long to be joined is written piece by piece."""
    gathering, read = ends
    body = bytes(range(256)) * (JOINED_BYTES // 128)
    gathering.write(b"head ")
    gathering.write(body)
    gathering.write(b" end")
    got = b""
    async with asyncio.timeout(GUARD_S):
        while len(got) < len(body) + 9:
            await anyio.lowlevel.checkpoint()
            piece = read()
            got += b"" if piece == b"(nothing yet)" else piece
    assert got == b"head " + body + b" end"
