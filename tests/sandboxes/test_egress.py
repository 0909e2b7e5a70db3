"""The proxy of one child, over real sockets; only names and what stands behind them are made up."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest
from anyio.abc import SocketStream

from sandboxes.network import egress
from sandboxes.network.egress import Bounds, Proxy
from sandboxes.network.hosts import parse_rules
from sandboxes.network.proxy_request import Refusal
from sandboxes.network.traffic import Traffic
from sandboxes.network.way_out import Egress
from tests.outside import PUBLIC, FakeOutside
from tests.waiting import PATIENCE_S

GUARD_S = PATIENCE_S
GRANTED = ("api.example.com", "*.example.net:8443")
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class Way:
    """A proxy with an echo server behind every public name."""

    port: int
    outside: FakeOutside
    refusals: list[Refusal]
    traffic: Traffic

    async def ask(self, request: bytes) -> bytes:
        """Send a whole request and return all that comes back."""
        async with await self.connect() as stream:
            await stream.send(request)
            return await rest(stream)

    async def connect(self) -> SocketStream:
        """Connect as the child does."""
        return await anyio.connect_tcp("127.0.0.1", self.port)

    async def tunnel(self, target: str = "api.example.com:443") -> SocketStream:
        """Return an open tunnel."""
        stream = await self.connect()
        await stream.send(connect(target))
        assert await stream.receive() == OPENED
        return stream


def connect(target: str) -> bytes:
    """Return the request that a client makes."""
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: test\r\n\r\n".encode()


async def rest(stream: SocketStream) -> bytes:
    """Return everything until the other side ends."""
    data = b""
    with anyio.fail_after(GUARD_S):
        async for chunk in stream:
            data += chunk
    return data


async def echo(stream: SocketStream) -> None:
    """Send back what comes, say goodbye after the other side's end."""
    async with stream:
        async for data in stream:
            await stream.send(data)
        await stream.send(b"bye")


@asynccontextmanager
async def open_way(
    names: dict[str, list[list[str]]] | None = None,
    *,
    private: bool = False,
    bounds: Bounds | None = None,
) -> AsyncGenerator[Way]:
    """Serve a proxy on loopback, where a child would find it in its own network."""
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as echoing,
        anyio.create_task_group() as group,
    ):
        group.start_soon(echoing.serve, echo)
        behind = echoing.extra_attributes[anyio.abc.SocketAttribute.local_port]()
        ports = {(PUBLIC, 443): behind, (PUBLIC, 8443): behind, ("10.0.0.5", 443): behind}
        outside = FakeOutside(names or {"api.example.com": [[PUBLIC]]}, ports)
        listener = socket.create_server(("127.0.0.1", 0))
        way = Way(listener.getsockname()[1], outside, [], Traffic())
        proxy = Proxy(
            Egress(parse_rules(GRANTED), private=private),
            outside,
            on_refused=way.refusals.append,
            traffic=way.traffic,
            bounds=bounds or Bounds(),
        )
        group.start_soon(proxy.serve, listener)
        yield way
        group.cancel_scope.cancel()


@pytest.fixture
async def way() -> AsyncGenerator[Way]:
    """A proxy whose one name is public."""
    async with open_way() as opened:
        yield opened


def status(answer: bytes) -> int:
    """Return the status of an answer whose sentence is both its reason and its body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line = head.split(b"\r\n")[0]
    assert line.removeprefix(b"HTTP/1.1 ")[4:] == body.strip()
    return int(line.split(b" ")[1])


async def test_a_granted_host_is_reached_and_bytes_are_counted(way: Way) -> None:
    """Ours: the tunnel is plain bytes; resolved once, and what was checked is dialled."""
    async with await way.tunnel() as stream:
        await stream.send(b"hello")
        assert await stream.receive() == b"hello"
        await stream.send_eof()
        assert await rest(stream) == b"bye"
    assert (way.outside.resolved, way.outside.dialled) == (["api.example.com"], [(PUBLIC, 443)])
    assert way.traffic == Traffic(tunnels=1, refused=0, bytes_out=5, bytes_in=8)


async def test_a_large_transfer_arrives_whole(way: Way) -> None:
    """Ours: both directions at once, with a reader that is slower than the writer."""
    data = bytes(range(256)) * 16_384
    async with await way.tunnel() as stream, anyio.create_task_group() as group:

        async def send() -> None:
            await stream.send(data)
            await stream.send_eof()

        group.start_soon(send)
        assert await rest(stream) == data + b"bye"


async def test_a_host_without_a_grant_is_named_with_what_to_do(way: Way) -> None:
    """Ours: one sentence, in the reason too, because clients show that."""
    answer = await way.ask(connect("other.example.com:443"))
    sentence = (
        "other.example.com:443 is not granted to this server; "
        "add 'other.example.com' to its network hosts."
    )
    assert answer.startswith(f"HTTP/1.1 403 {sentence}\r\n".encode())
    assert answer.endswith(f"\r\n\r\n{sentence}\n".encode())
    assert [(r.asked, str(r)) for r in way.refusals] == [("other.example.com:443", sentence)]
    assert way.outside.resolved == []


NOT_GRANTED = [
    "evil-api.example.com:443",
    "api.example.com.evil.net:443",
    "xapi.example.com:443",
    "api.example.com:80",
    "api.example.com:8443",
    "example.net:8443",
    "a.example.net:443",
    "evilexample.net:8443",
]
NOT_A_TARGET = [
    "127.0.0.1:443",
    "2130706433:443",
    "0x7f000001:443",
    "0177.0.0.1:443",
    "127.1:443",
    "[::1]:443",
    "[::ffff:127.0.0.1]:443",
    "api.example.com.:443",
    "api.example.com",
    "api.example.com:",
    "api.example.com:0443",
    "api.example.com:443:443",
    "user@api.example.com:443",
    "api.example.com%00.evil.net:443",
    "api.example.com/:443",
    "https://api.example.com:443",
    "localhost:443",
    f"{'a' * 64}.example.net:8443",
    f"{'a.' * 122}example.net:8443",
    "*.example.net:8443",
]


async def test_hostile_targets_are_refused_before_any_lookup(way: Way) -> None:
    """Ours: nothing that is not exactly a granted name and port reaches the resolver."""
    answers = {target: status(await way.ask(connect(target))) for target in NOT_GRANTED}
    assert answers == dict.fromkeys(NOT_GRANTED, 403)
    answers = {target: status(await way.ask(connect(target))) for target in NOT_A_TARGET}
    assert answers == dict.fromkeys(NOT_A_TARGET, 400)
    assert (way.outside.resolved, way.outside.dialled) == ([], [])


HOSTILE_REQUESTS = {
    b"GET http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n": 405,
    b"GET / HTTP/1.1\r\n\r\n": 405,
    b"POST https://api.example.com/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc": 405,
    b"connect api.example.com:443 HTTP/1.1\r\n\r\n": 400,
    b"CONNECT api.example.com:443\r\n\r\n": 400,
    b"CONNECT  api.example.com:443 HTTP/1.1\r\n\r\n": 400,
    b"CONNECT api.example.com:443 HTTP/2\r\n\r\n": 400,
    b"CONNECT api.example.com:443 HTTP/1.1\r\nX: \0\r\n\r\n": 400,
    b"CONNECT api.example.com\0.evil.net:443 HTTP/1.1\r\n\r\n": 400,
    b"CONNECT api.example.com:443 HTTP/1.1\nHost: x\r\n\r\n": 400,
    b"CONNECT \xc3\xa4.example.com:443 HTTP/1.1\r\n\r\n": 400,
    b"CONNECT api.example.com:443 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n": 400,
    b"\x16\x03\x01\x02\x00\x01\r\n\r\n": 400,
    b"\x05\x01\x00\r\n\r\n": 400,
    b"CONNECT api.example.com:443 HTTP/1.1\r\nX: " + b"a" * egress.MAX_HEAD_BYTES: 431,
}


async def test_what_is_no_connect_request_is_refused(way: Way) -> None:
    """Ours: one form of request; other proxies' forms, junk and early data get a sentence."""
    answers = {request: status(await way.ask(request)) for request in HOSTILE_REQUESTS}
    assert answers == HOSTILE_REQUESTS
    assert (way.outside.resolved, way.outside.dialled) == ([], [])
    assert all(str(refusal).isascii() for refusal in way.refusals)


async def test_names_that_lead_inside_are_refused() -> None:
    """Ours: loopback, private, link-local and metadata addresses, wrapped or not."""
    inside = ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "64:ff9b::7f00:1", "fd00:ec2::254"]
    names = {f"n{i}.example.net": [[address]] for i, address in enumerate(inside)}
    async with open_way(names) as way:
        answers = [status(await way.ask(connect(f"{name}:8443"))) for name in names]
        assert (answers, way.outside.dialled) == ([403] * len(inside), [])


async def test_only_the_public_ones_of_several_addresses_are_dialled() -> None:
    """Ours: a mixed answer is used for what is good in it."""
    names = {"api.example.com": [["127.0.0.1", "192.168.0.1", PUBLIC]]}
    async with open_way(names) as way, await way.tunnel():
        assert way.outside.dialled == [(PUBLIC, 443)]


async def test_a_resolver_that_changes_its_mind_changes_nothing() -> None:
    """Ours: what was checked is dialled, without a second lookup (DNS rebinding)."""
    async with open_way({"api.example.com": [[PUBLIC], ["127.0.0.1"]]}) as way:
        async with await way.tunnel():
            assert (way.outside.resolved, way.outside.dialled) == (
                ["api.example.com"],
                [(PUBLIC, 443)],
            )
        assert status(await way.ask(connect("api.example.com:443"))) == 403
        assert way.outside.dialled == [(PUBLIC, 443)]


async def test_the_owner_may_grant_private_addresses() -> None:
    """Ours: networks of private use only, and this machine never."""
    names = {"api.example.com": [["127.0.0.1", "10.0.0.5"]]}
    async with open_way(names, private=True) as way, await way.tunnel():
        assert way.outside.dialled == [("10.0.0.5", 443)]


async def test_what_fails_outside_is_no_refused_host() -> None:
    """Ours: an unknown name and a dead host are told apart from a missing grant."""
    async with open_way({"dead.example.net": [["1.1.1.1"]]}) as way:
        assert status(await way.ask(connect("api.example.com:443"))) == 502
        assert status(await way.ask(connect("dead.example.net:8443"))) == 502
        assert way.refusals == []


async def test_slow_and_silent_clients_are_let_go() -> None:
    """Ours: the whole request has one deadline, however it drips."""
    async with open_way(bounds=Bounds(head_s=0.1)) as way:
        assert status(await way.ask(b"")) == 408
        assert status(await way.ask(b"CONNECT api.example.com:443 HTTP/1.1\r\nX: ")) == 408


async def test_an_idle_tunnel_is_closed() -> None:
    """Ours: a forgotten connection does not stay for ever."""
    async with open_way(bounds=Bounds(idle_s=0.1)) as way, await way.tunnel() as stream:
        assert await rest(stream) == b""


async def test_a_child_has_so_many_connections_and_no_more() -> None:
    """Ours: beyond the cap there is an answer, and a place as soon as one is free."""
    async with open_way(bounds=Bounds(connections=2)) as way, await way.tunnel():
        async with await way.tunnel() as second:
            assert status(await way.ask(connect("api.example.com:443"))) == 503
            await second.send_eof()
            assert await rest(second) == b"bye"
        async with await way.tunnel():
            assert way.refusals == []


async def test_a_client_that_hangs_up_disturbs_nobody(way: Way) -> None:
    """Ours: at any point of the exchange."""
    for request in (
        b"",
        b"CONNECT",
        connect("other.example.com:443"),
        connect(GRANTED[0] + ":443"),
    ):
        async with await way.connect() as stream:
            await stream.send(request)
    async with await way.tunnel() as stream:
        await stream.send(b"still there")
        assert await stream.receive() == b"still there"
