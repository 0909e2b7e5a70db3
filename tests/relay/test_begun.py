"""Uvicorn's short way of a call: as good as the long one, and nobody else gets in by it."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gateway.http_server import serve_http
from gateway.listening import listen, url_of
from gateway.main import Gateway
from gateway.relay.begun import Begun
from gateway.relay.http import Scope
from gateway.variables import HttpServer
from tests.reach.conftest import BASE, environment, open_gateway
from tests.reach.test_limits import end_token, make_token
from tests.relay.conftest import modern
from tests.supervisor.conftest import GUARD_S
from tests.waiting import until

SERVER = Path(__file__).parents[1] / "supervisor" / "raw_server.py"
PER_S = 5
BURST = PER_S * 10
LONG = "?long"
"""Behind the path: such a request is not begun."""


@dataclass
class Served:
    """A gateway behind Uvicorn, and what was begun there."""

    gateway: Gateway
    port: int
    token: str
    begun: int = 0

    def begin(self, scope: Scope, body: bytes) -> Begun | None:
        """Begin what the gateway begins, and count it."""
        assert self.gateway.begin is not None
        begun = self.gateway.begin(scope, body)
        self.begun += begun is not None
        return begun

    def post(self, body: Any, headers: Mapping[str, str], after_path: str = "") -> bytes:
        """Return a request as it goes over the wire."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {
            "Host": f"127.0.0.1:{self.port}",
            "Authorization": f"Bearer {self.token}",
            "Content-Length": str(len(content)),
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        path = f"/servers/raw/mcp{after_path}"
        return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content

    async def talk(self, *parts: bytes, answers: int = 1) -> list[bytes]:
        """Send parts over one connection; return so many answers as they come."""
        with anyio.fail_after(GUARD_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                return [await _answer(reader) for _ in range(answers)]
            finally:
                writer.close()

    def in_flight(self) -> int:
        """Return how many calls the server has not answered."""
        return self.gateway.relay._supervisor.snapshot("raw").in_flight  # pyright: ignore[reportPrivateUsage]


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    if length is not None:
        return head + await reader.readexactly(int(length[1]))
    return head + await reader.readuntil(b"0\r\n\r\n")


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Served]:
    """One gateway for all tests here."""
    environ = environment(tmp_path_factory.mktemp("begun"))
    folder = Path(environ["FIXED_SERVERS_DIR"]) / "raw"
    folder.mkdir()
    (folder / "server.py").write_text(SERVER.read_text("utf-8"), encoding="utf-8")
    environ |= {"SANDBOX": "off", "TOKEN_CALLS_PER_S": str(PER_S)}
    async with open_gateway(environ, BASE) as gateway:
        await gateway.servers.disk.load_all()
        stop = anyio.Event()
        with listen("127.0.0.1", 0) as sock:
            port = int(url_of(sock).rpartition(":")[2])
            served = Served(gateway, port, await make_token(gateway, "everybody", "raw"))
            async with anyio.create_task_group() as group:
                uvicorn = HttpServer.UVICORN
                group.start_soon(serve_http, uvicorn, gateway.app, [sock], stop.wait, served.begin)
                yield served
                stop.set()


def call(name: str, request_id: object = 1, **arguments: object) -> tuple[Any, dict[str, str]]:
    """Return a modern tool call and its headers."""
    return modern("tools/call", {"name": name, "arguments": arguments}, request_id)


def undated(answer: bytes) -> bytes:
    """Return an answer without what differs from second to second."""
    return re.sub(rb"date: [^\r]*\r\n", b"", answer)


@pytest.mark.parametrize("name", ["echo", "locked"])
async def test_both_ways_answer_in_the_same_bytes(served: Served, name: str) -> None:
    """Ours: head, status and body, of a result and of an error."""
    body, headers = call(name, "an id")
    before = served.begun
    short, long = await served.talk(
        served.post(body, headers), served.post(body, headers, LONG), answers=2
    )
    assert served.begun == before + 1
    assert undated(short) == undated(long)
    assert b'"id":"an id"' in short
    assert b"cache-control: no-store" in short


async def test_a_call_that_takes_its_time_goes_on_as_any_other(served: Served) -> None:
    """MCP, basic/transports: JSON when nothing came first, else a stream."""
    slow = call("wait", 1, each_s=0.6)
    params = {"name": "wait", "arguments": {"steps": 2}, "_meta": {"progressToken": "mine"}}
    body, headers = modern("tools/call", params, 2)
    before = served.begun
    plain, stream = await served.talk(served.post(*slow), served.post(body, headers), answers=2)
    assert served.begun > before
    assert b"waited 1" in plain
    assert b"content-type: application/json" in plain
    assert b"content-type: text/event-stream" in stream
    assert [int(n) for n in re.findall(rb'"progress":(\d)', stream)] == [1, 2]
    assert b'"progressToken":"mine"' in stream


async def test_calls_behind_one_another_are_answered_in_order(served: Served) -> None:
    """RFC 9112, section 9.3.2: also when the later ones are there before the first is answered."""
    several = [served.post(*call("wait", "first"))]
    several += [served.post(*call("echo", n, n=n)) for n in range(3)]
    answers = await served.talk(b"".join(several), answers=4)
    assert [re.findall(rb'"id":([^,]+)', each) for each in answers] == [
        [b'"first"'],
        [b"0"],
        [b"1"],
        [b"2"],
    ]


async def test_a_body_in_pieces_is_no_other_request(served: Served) -> None:
    """Ours: only what came as a whole is begun."""
    body, headers = call("echo", 7, n=7)
    wire = served.post(body, headers)
    before = served.begun
    with anyio.fail_after(GUARD_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        for part in (wire[:50], wire[50:-20], wire[-20:]):
            writer.write(part)
            await writer.drain()
            await anyio.lowlevel.checkpoint()
        (answer,) = [await _answer(reader)]
        writer.close()
    assert b'"id":7' in answer
    assert served.begun in (before, before + 1)


async def _in_turn(served: Served, *requests: bytes) -> list[bytes]:
    """Return the answers to requests of one connection, each sent after the answer before."""
    with anyio.fail_after(GUARD_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        answers: list[bytes] = []
        for wire in requests:
            writer.write(wire)
            answers.append(await _answer(reader))
        writer.close()
    return answers


async def test_a_head_that_comes_again_is_read_as_the_first_one(served: Served) -> None:
    """Ours: only its length may differ; another head, or more than one request, is read anew."""
    token = await make_token(served.gateway, "again", "raw")
    own = {"Authorization": f"Bearer {token}"}

    def echo(number: object, **more: object) -> bytes:
        body, headers = call("echo", number, n=number, **more)
        return served.post(body, {**headers, **own})

    refused = echo(6).replace(b"Mcp-Method: tools/call", b"Mcp-Method: tools/list")
    several = (echo(1), echo(2), echo(30, text="x" * 100), refused, echo(4), echo(5))
    before = served.begun
    first, *_, another, fourth, last = await _in_turn(served, *several)
    assert served.begun == before + 5
    assert another.split()[1] == b"400"
    assert [b'"id":%d' % n in each for n, each in ((1, first), (4, fourth), (5, last))] == [
        True
    ] * 3
    short, long = echo(7), echo(8).replace(b" HTTP", f"{LONG} HTTP".encode())
    alone, there = await _in_turn(served, short, long)
    assert undated(alone) == undated(there).replace(b"8", b"7")
    await end_token(served.gateway, token)
    assert [a.split()[1] for a in await _in_turn(served, echo(1), echo(2))] == [b"401"] * 2


async def test_a_token_that_ends_ends_for_a_head_that_is_known(served: Served) -> None:
    """Ours: what was read once is the head; whose token it is, is asked each time."""
    token = await make_token(served.gateway, "ending", "raw")
    body, headers = call("echo")
    wire = served.post(body, {**headers, "Authorization": f"Bearer {token}"})
    with anyio.fail_after(GUARD_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        statuses: list[bytes] = []
        for turn in range(4):
            if turn == 2:
                await end_token(served.gateway, token)
            writer.write(wire)
            statuses.append((await _answer(reader)).split()[1])
        writer.close()
    assert statuses == [b"200", b"200", b"401", b"401"]


async def test_a_caller_that_goes_away_cancels_what_was_begun(served: Served) -> None:
    """MCP 2026-07-28: a closed connection is a cancellation, also at once."""
    with anyio.fail_after(GUARD_S):
        before = served.begun
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(served.post(*call("wait", 1, steps=1000)))
        await until(lambda: served.begun > before and served.in_flight())
        writer.close()
        await until(lambda: not served.in_flight())


async def test_a_call_in_flight_holds_up_the_end(served: Served) -> None:
    """Ours: the gateway drains before it ends."""
    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as group:
            group.start_soon(served.talk, served.post(*call("wait", 1, each_s=0.3)))
            await until(served.in_flight)
            await served.gateway.router.drain(GUARD_S)
            assert not served.in_flight()


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Authorization": "Bearer crt_nobodys"}, b"401"),
        ({"Host": "rebound.example.org"}, b"421"),
        ({"Origin": "https://foreign.example.org"}, b"403"),
        ({"Accept": "text/html"}, b"406"),
        ({"Mcp-Name": "another"}, b"400"),
        ({"MCP-Protocol-Version": "1999-01-01"}, b"400"),
    ],
)
async def test_what_is_refused_is_not_begun(
    served: Served, changed: dict[str, str], status: bytes
) -> None:
    """Ours: the short way says no to nothing, and lets nothing through."""
    body, headers = call("echo")
    before = served.begun
    (answer,) = await served.talk(served.post(body, {**headers, **changed}))
    assert (answer.split()[1], served.begun) == (status, before)


async def test_a_token_is_counted_once_and_refused_once_it_is_revoked(served: Served) -> None:
    """Issue 6: per token so many calls at once, whichever way they come; a revoked one, at once."""
    token = await make_token(served.gateway, "counted", "raw")
    bearer = {"Authorization": f"Bearer {token}"}
    listing, headers = modern("tools/list")
    handed_on = served.post(listing, {**headers, **bearer})
    body, headers = call("echo")
    begun = served.post(body, {**headers, **bearer})
    answers = await served.talk(*[handed_on, begun] * (BURST // 2), answers=BURST)
    assert {each.split()[1] for each in answers} == {b"200"}
    more = await served.talk(*[begun] * 3 * BURST, answers=3 * BURST)
    assert more[-1].split()[1] == b"429"
    await end_token(served.gateway, token)
    (revoked,) = await served.talk(begun)
    assert revoked.split()[1] == b"401"


async def test_a_child_that_dies_says_so_to_callers_of_both_ways(served: Served) -> None:
    """Issue: calls in flight fail at once with the reason; nobody is told less of it."""
    body, headers = call("die", 1, status=4)
    (short,) = await served.talk(served.post(body, headers))
    (long,) = await served.talk(served.post(body, headers, LONG))
    for answer in (short, long):
        said = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
        assert (said["code"], said["data"]["reason"]) == (-32000, "exit code 4")
