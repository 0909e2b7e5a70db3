"""What a server still answers when it ends, and in how many pieces it answers at all."""

import socket
import sys
from contextlib import AsyncExitStack

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from gateway.variables import HttpServer
from tests.relay.site import KINDS, Site, open_site
from tests.supervisor.conftest import GUARD_S

REQUEST = b"GET /%b HTTP/1.1\r\nhost: a\r\n\r\n"
DATA_SEGMENTS_IN = slice(152, 156)
"""Of TCP_INFO: how many pieces came, however they are read."""


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The gateway's own loop."""
    return "asyncio", {"use_uvloop": True}


async def connected(site: Site) -> ByteStream:
    """Return a connection that the server has accepted."""
    stream = await anyio.connect_tcp("127.0.0.1", site.port)
    # In the order in which they came: the one that is answered came later.
    assert b"200" in await site.talk(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    return stream


async def end(site: Site) -> None:
    """Tell the server to end, and return when it has heard."""
    site.stop.set()
    await anyio.wait_all_tasks_blocked()


async def rest(stream: ByteStream) -> bytes:
    """Return all that comes until the server closes the connection."""
    return b"".join([part async for part in stream])


@pytest.mark.parametrize("kind", KINDS)
async def test_who_was_let_in_is_answered_though_the_server_ends(kind: HttpServer) -> None:
    """Issue 9, What 4: a restart refuses nobody, also who has connected and not asked yet."""
    with anyio.fail_after(GUARD_S):
        async with open_site(kind) as site, await connected(site) as stream:
            await end(site)
            await stream.send(REQUEST % b"first")
            answer = await rest(stream)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer


@pytest.mark.parametrize("kind", KINDS)
async def test_who_asks_again_at_the_end_is_answered_and_told_to_leave(kind: HttpServer) -> None:
    """RFC 9112, 9.6: a client may have sent a request before it learns that we close."""
    with anyio.fail_after(GUARD_S):
        async with open_site(kind) as site, await connected(site) as stream:
            await stream.send(REQUEST % b"first")
            assert b"connection: close" not in await stream.receive()
            await end(site)
            await stream.send(REQUEST % b"second")
            answer = await rest(stream)
    assert b'"path": "/second"' in answer
    assert b"connection: close" in answer


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_is_waited_for_in_vain(kind: HttpServer) -> None:
    """Ours: a connection that nobody uses does not hold up the end."""
    with anyio.fail_after(GUARD_S):
        async with open_site(kind) as site, await connected(site) as stream:
            site.stop.set()
            assert await rest(stream) == b""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_caller_that_stops_reading_does_not_hold_up_the_end(
    kind: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Ours: what it was sent waits in the kernel, and nobody waits for it."""
    with anyio.fail_after(GUARD_S):
        async with AsyncExitStack() as later, open_site(kind) as site:
            stream = await later.enter_async_context(await connected(site))
            await stream.send(REQUEST % b"much")
            assert (await stream.receive()).startswith(b"HTTP/1.1 200")
    assert "do not end" not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_a_small_answer_comes_in_one_piece(kind: HttpServer) -> None:
    """Ours: a Go proxy may lose what comes behind the head (golang/go 40747)."""
    with anyio.fail_after(GUARD_S):
        async with open_site(kind) as site, await connected(site) as stream:
            for path in (b"1", b"2"):
                await stream.send(REQUEST % path)
                assert b'"path": "/%b"' % path in await stream.receive()
            raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - this is no Django
            info = raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, DATA_SEGMENTS_IN.stop)
    assert int.from_bytes(info[DATA_SEGMENTS_IN], sys.byteorder) == 2
