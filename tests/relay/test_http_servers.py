"""What an application and its callers see is the same behind either HTTP server."""

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator

import anyio
import httpx2
import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.http_patience import KEEP_ALIVE_S
from gateway.http_server import serve_http
from gateway.listening import BACKLOG, listen, url_of
from gateway.relay.http import Receive, Scope, Send, read_body, send_body
from gateway.uvicorn_protocols import MAX_HEAD_BYTES, HttpProtocol
from gateway.variables import HttpServer
from tests.relay.site import KINDS, Site, open_site
from tests.supervisor.conftest import GUARD_S
from tests.waiting import until


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The gateway's own loop."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module", params=KINDS)
async def site(request: pytest.FixtureRequest) -> AsyncGenerator[Site]:
    """The application behind each server, for all tests here."""
    async with open_site(request.param) as opened:
        yield opened


async def test_the_application_hears_the_same(site: Site) -> None:
    """Ours: what a proxy claims about the caller changes nothing, names are lower case."""
    headers = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "A": "1"}
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"http://127.0.0.1:{site.port}/caf%C3%A9?q=1", headers=headers, content=b"x" * 300_000
        )
    assert answer.json() == {
        "method": "POST",
        "path": "/café",
        "scheme": "http",
        "client": "127.0.0.1",
        "headers": sorted(name.lower() for name in answer.request.headers),
        "body": 300_000,
    }
    assert set(answer.headers) == {"content-length", "content-type", "date"}


@pytest.mark.parametrize("ends", [False, True], ids=["closed", "half-closed"])
async def test_a_caller_that_closes_is_gone(site: Site, ends: bool) -> None:
    """MCP 2026-07-28: a closed stream is a cancellation; half of one is too."""
    site.gone = anyio.Event()
    with anyio.fail_after(GUARD_S):
        async with await anyio.connect_tcp("127.0.0.1", site.port) as stream:
            await stream.send(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
            await stream.receive()
            if ends:
                await stream.send_eof()
                await site.gone.wait()
        await site.gone.wait()


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * MAX_HEAD_BYTES, b"431"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * (MAX_HEAD_BYTES // 6), b"431"),
        (b"no HTTP at all\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", b"400"),
    ],
    ids=["a header without end", "headers without end", "no HTTP", "no length"],
)
async def test_what_is_no_request_is_refused_and_closed(
    site: Site, sent: bytes, answered: bytes
) -> None:
    """Ours: nobody makes the gateway remember more than a head's worth."""
    answer = await site.talk(*[sent[n : n + 8192] for n in range(0, len(sent), 8192)])
    assert answer.split()[1] == answered


async def test_a_websocket_is_refused(site: Site) -> None:
    """Ours: nothing here speaks it."""
    answer = await site.talk(
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert answer.split()[1] == b"403"


async def test_requests_behind_one_another_are_answered_in_order(site: Site) -> None:
    """RFC 9112, section 9.3.2."""
    one = b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\n"
    two = b"GET /2 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    answer = await site.talk(one + two)
    assert answer.index(b'"path": "/1"') < answer.index(b'"path": "/2"')


@pytest.mark.parametrize("kind", KINDS)
async def test_the_end_waits_for_streams_that_end_and_not_for_others(kind: HttpServer) -> None:
    """Ours: TERM ends a gateway, whatever its callers do."""
    with anyio.fail_after(GUARD_S):
        async with httpx2.AsyncClient(trust_env=False) as client:
            async with open_site(kind) as site:
                url = f"http://127.0.0.1:{site.port}"
                ending = await client.send(client.build_request("GET", f"{url}/stop"), stream=True)
                endless = await client.send(client.build_request("GET", f"{url}/wait"), stream=True)
            assert (await ending.aread()).endswith(b"data: 1\n\n")
            with pytest.raises(httpx2.RemoteProtocolError):
                await endless.aread()


@pytest.mark.parametrize("chosen", KINDS)
async def test_as_many_connections_wait_as_the_gateway_listens_for(chosen: HttpServer) -> None:
    """Ours: the server behind it listens anew, and a flood overflowed its small bound."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await send_body(send, 200)

    with listen("127.0.0.1", 0) as sock, sock.dup() as same:
        looked = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(serve_http, chosen, app, [sock], looked.wait)
            async with httpx2.AsyncClient(trust_env=False) as http:
                assert (await http.get(url_of(same))).status_code == 200
            # Of a listening socket, TCP_INFO holds the bound of its queue at this place.
            info = same.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
            assert int.from_bytes(info[28:32], sys.byteorder) == BACKLOG
            looked.set()


class Wire(asyncio.Transport):
    """A connection that goes nowhere."""

    closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send nothing."""

    def is_closing(self) -> bool:
        """Return whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Remember it."""
        self.closed = True


async def test_only_a_connection_without_a_request_is_silent_for_too_long() -> None:
    """Ours: uvicorn itself waits for a first request forever; a slow answer is no silence."""
    answer = anyio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Answer when it is time."""
        await answer.wait()
        await send_body(send, 200)

    config = uvicorn.Config(app, lifespan="off", timeout_keep_alive=KEEP_ALIVE_S, log_config=None)
    loop, silent, asking = asyncio.get_running_loop(), Wire(), Wire()
    protocols = [
        HttpProtocol(config=config, server_state=ServerState(), app_state={}) for _ in "12"
    ]
    for protocol, wire in zip(protocols, (silent, asking), strict=True):
        protocol.connection_made(wire)
    protocols[1].data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")

    def look(seconds: float) -> tuple[bool, bool]:
        for protocol in protocols:
            protocol.end_silence(loop.time() + seconds)
        return silent.closed, asking.closed

    assert look(KEEP_ALIVE_S - 5) == (False, False)
    assert look(KEEP_ALIVE_S) == (True, False)
    answer.set()
    await until(lambda: protocols[1].cycle.response_complete)
    assert look(KEEP_ALIVE_S - 5) == (True, False)
    assert look(KEEP_ALIVE_S) == (True, True)


async def test_a_caller_that_reads_nothing_gets_no_further_answer() -> None:
    """Ours: what nobody reads is not piled up, also where a call is begun before its task."""
    begun: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await read_body(receive)
        await send_body(send, 200)

    def begin(scope: Scope, body: bytes) -> None:
        """Note what was asked, and leave it to the application."""
        begun.append(body)

    config = uvicorn.Config(app, lifespan="off", log_config=None)
    protocol = HttpProtocol(config=config, server_state=ServerState(), app_state={}, begin=begin)
    protocol.connection_made(Wire())
    for number, paused in enumerate((True, False)):
        if paused:
            protocol.pause_writing()
        protocol.data_received(
            b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n%d" % number
        )
        await anyio.wait_all_tasks_blocked()
        assert protocol.cycle.response_complete is not paused
        protocol.resume_writing()
        await until(lambda: protocol.cycle.response_complete)
    assert begun == [b"1"]
