"""Streams that break, and readers that stop to read."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream
from quart import Quart, Response

from gateway.cli.exits import Exit
from gateway.dashboard.slow_readers import drop_slow_readers
from gateway.local import GatewayLock, LiveGateway, publish
from tests.cli.gateways import COMMAND, make_place

GUARD_S = 60
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/jsonl\r\nConnection: close\r\n\r\n"


def text(number: str, said: str) -> dict[str, Any]:
    """Return the event of a piece of text."""
    return {"number": number, "event": "text", "text": said, "restart": False}


END = {
    "number": "3.0",
    "event": "status",
    "final": True,
    "run": {
        "id": "run_1",
        "status": "budget",
        "input_tokens": 7,
        "output_tokens": 1,
        "cost_usd": None,
        "error": "Stopped at the budget of 1 US dollars.",
    },
}


@pytest.mark.timeout(2 * GUARD_S)
async def test_the_command_goes_on_where_the_stream_broke(tmp_path: Path) -> None:
    """Issue 7, What 5: it asks from the last number on; the end of the run is the status."""
    place = make_place(tmp_path)
    asked: list[str] = []
    streams = [[text("2.5", "Half ")], [text("2.9", "and half.")], [END]]

    async def answer(stream: SocketStream) -> None:
        async with stream:
            asked.append((await stream.receive()).split()[1].decode())
            lines = "".join(f"{json.dumps(event)}\n" for event in streams[len(asked) - 1])
            await stream.send(HEAD + lines.encode())

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no Django
    with GatewayLock(place.home):
        publish(place.home, LiveGateway(os.getpid(), f"http://127.0.0.1:{port}", "token", "1"))
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, answer)
            done = await anyio.run_process(
                [*COMMAND, "runs", "follow", "run_1"], env=place.env(), check=False
            )
            assert (done.returncode, done.stdout.decode()) == (Exit.BUDGET, "Half and half.\n")
            assert b"Run run_1 budget, 7 + 1 tokens: Stopped at the budget" in done.stderr
            group.cancel_scope.cancel()
    path = "/local/runs/run_1/events?after="
    assert asked == [f"{path}0.0", f"{path}2.5", f"{path}2.9"]


async def test_a_reader_that_stops_to_read_is_let_go() -> None:
    """Issue 7: it holds no place for longer, and the next one is served."""
    app, ended = Quart(__name__), anyio.Event()

    async def stream() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"more"
        finally:
            ended.set()

    app.add_url_rule("/", view_func=lambda: Response(stream()))
    drop_slow_readers(app, send_s=0.1)
    sent: list[Any] = []
    request: list[Any] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return request.pop() if request else await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 3:
            await anyio.sleep_forever()

    scope: Any = {
        "type": "http",
        "asgi": {},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"x")],
        "client": ("127.0.0.1", 1),
        "server": None,
        "extensions": {},
    }
    with anyio.fail_after(GUARD_S):
        await app(scope, receive, send)
        await ended.wait()
    assert [message["type"] for message in sent] == [
        "http.response.start",
        "http.response.body",
        "http.response.body",
    ]
