"""What calls and sessions leave behind in the gateway's memory: nothing that grows."""

import gc
import json

import anyio
import psutil
import pytest
from anyio.abc import SocketStream

from gateway.serving import COLLECT_AFTER, spare_collections
from gateway.variables import HttpServer
from tests.demonstrations import Counts, Demonstrations
from tests.relay.conftest import ACCEPT, Relay, request
from tests.supervisor.conftest import raw_spec

pytestmark = pytest.mark.timeout(3600)

CALLERS = 16
MAX_MORE_OBJECTS = 600
"""Of the collector's, after at least twice as many calls: a leak of one for each is far above."""
MAX_GROWN_MIB = 24
SESSION_BYTES = 8 * 1024
"""The bound of what an abandoned session may hold, in a full run."""
MIB = 1024 * 1024


def message(body: object, headers: dict[str, str]) -> tuple[bytes, bytes]:
    """Return a whole HTTP request to the server of these tests, and the last of a connection.

    A connection that just breaks off stays in Hypercorn's memory for its keep-alive time.
    """
    content = json.dumps(body).encode()
    fields = {"Host": "127.0.0.1", "Content-Length": str(len(content)), **ACCEPT, **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    start = f"POST /servers/raw/mcp HTTP/1.1\r\n{head}"
    ending = f"{start}Connection: close\r\n\r\n"
    return f"{start}\r\n".encode() + content, ending.encode() + content


async def ask(stream: SocketStream, sent: bytes) -> None:
    """Send a request and take its whole answer."""
    await stream.send(sent)
    answer = b""
    while not answer.endswith(b"}"):
        answer += await stream.receive()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"result"' in answer


async def many(relay: Relay, sent: tuple[bytes, bytes], times: int) -> None:
    """Send a request as often, from several connections that are all kept."""
    port = int(relay.url.rpartition(":")[2])

    async def one_caller() -> None:
        done = 0
        while done < times // CALLERS:
            # Hypercorn closes a connection after its thousandth request.
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                part = min(500, times // CALLERS - done)
                for number in range(part):
                    await ask(stream, sent[number == part - 1])
                done += part

    async with anyio.create_task_group() as group:
        for _ in range(CALLERS):
            group.start_soon(one_caller)


def objects() -> int:
    """Return how many objects are alive that can hold others."""
    gc.collect()
    return len(gc.get_objects())


def rss() -> int:
    """Return the memory of this process, which is the gateway's here, in bytes."""
    return psutil.Process().memory_info().rss


async def test_calls_leave_nothing_behind(
    relay: Relay, http_server: HttpServer, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue 5: no growth over a million calls."""
    await relay.stage.start(raw_spec("raw"))
    session = await relay.open_session("raw")
    call = message(request("tools/call", {"name": "version", "arguments": {}}), session)
    calls = counts(2 * MAX_MORE_OBJECTS, 1_000_000)
    await many(relay, call, 20 * CALLERS)
    before, rss_before = objects(), rss()
    await many(relay, call, calls)
    more, grown_mib = objects() - before, (rss() - rss_before) / MIB
    assert more < MAX_MORE_OBJECTS
    assert grown_mib < MAX_GROWN_MIB
    assert relay.stage.supervisor.snapshot("raw").in_flight == 0
    shows = f"memory after calls through the relay ({http_server})"
    demonstrations.record(shows, calls, f"{grown_mib:.1f} MiB more, {more} objects more")


async def test_abandoned_sessions_are_bounded(
    relay: Relay, http_server: HttpServer, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue 5: no growth over ten thousand sessions that nobody ended."""
    await relay.stage.start(raw_spec("raw"))
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    opening = message(request("initialize", params), {})
    sessions = counts(20 * CALLERS, 10_000)
    await many(relay, opening, 2 * CALLERS)
    before, rss_before = objects(), rss()
    await many(relay, opening, sessions)
    each, grown_mib = (objects() - before) / sessions, (rss() - rss_before) / MIB
    assert each < 16
    assert grown_mib < MAX_GROWN_MIB + sessions * SESSION_BYTES / MIB
    shows = f"memory after abandoned sessions ({http_server})"
    demonstrations.record(shows, sessions, f"{grown_mib:.1f} MiB more")


def test_what_lives_as_long_as_the_gateway_is_looked_at_by_no_collection() -> None:
    """Ours: each would walk 200,000 objects in the middle of somebody's call, and free none."""
    before, made_before = gc.get_threshold(), [object()]
    try:
        spare_collections()
        made_after = [object()]
        tracked = {id(each) for each in gc.get_objects()}
        assert id(made_before) not in tracked
        assert id(made_after) in tracked
        assert gc.get_threshold()[0] == COLLECT_AFTER
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
