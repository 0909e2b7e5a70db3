"""A relay that does nothing else: `python -m benchmarks.relay.bare SERVER PORT COMMAND...`.

No tokens, no sessions, no checks, no time-outs, no streams, on the HTTP server as it comes: what
the gateway's relay could at best be on the same one.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import uvicorn
import uvloop
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType] - its WSGI half
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

Message = dict[str, Any]


class Asked(msgspec.Struct):
    """What is read of a caller's message."""

    id: msgspec.Raw = msgspec.Raw(b"")
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"{}")


class Answered(msgspec.Struct):
    """What is read of the child's message."""

    id: int
    result: msgspec.Raw


_asked = msgspec.json.Decoder(Asked)
_answered = msgspec.json.Decoder(Answered)


class Child(asyncio.SubprocessProtocol):
    """The server, and the calls that wait for its answers."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._unsent: list[bytes] = []
        self._rest: list[bytes] = []
        self._number = 0
        self._input: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        process = cast(asyncio.SubprocessTransport, transport)
        self._input = cast(asyncio.WriteTransport, process.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Hand each answer to whoever waits for it."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest = []
        self._rest.append(rest)
        for line in lines:
            answer = _answered.decode(line)
            self._waiting.pop(answer.id).set_result(answer.result)

    def call(self, method: str, params: bytes | msgspec.Raw) -> "asyncio.Future[msgspec.Raw]":
        """Send a request; what is sent in one turn of the loop goes out together."""
        self._number += 1
        waiting = self._waiting[self._number] = self._loop.create_future()
        line = b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}\n'
        self._send(line % (self._number, method.encode(), bytes(params)))
        return waiting

    def notify(self, method: str) -> None:
        """Send a notification."""
        self._send(b'{"jsonrpc":"2.0","method":"%s"}\n' % method.encode())

    def _send(self, line: bytes) -> None:
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(line)

    def _flush(self) -> None:
        assert self._input is not None
        self._input.write(b"".join(self._unsent))
        self._unsent.clear()


class Relay:
    """The application."""

    def __init__(self, child: Child) -> None:
        self._child = child

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request with what the child answers."""
        if scope["type"] != "http":
            return
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        asked = _asked.decode(body)
        if not bytes(asked.id):
            self._child.notify(asked.method)
            await _answer(send, 202, b"")
            return
        result = await self._child.call(asked.method, asked.params)
        answer = b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (bytes(asked.id), bytes(result))
        await _answer(send, 200, answer)


async def _answer(send: Callable[[Message], Awaitable[None]], status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def main(server: str, port: int, command: list[str]) -> None:
    """Serve until TERM."""
    loop = asyncio.get_running_loop()
    _, child = await loop.subprocess_exec(Child, *command, stderr=asyncio.subprocess.DEVNULL)
    app = Relay(child)
    if server == "uvicorn":
        config = uvicorn.Config(
            cast(Any, app), port=port, http="httptools", lifespan="off", log_config=None
        )
        config.access_log = False
        logging.getLogger("uvicorn.access").disabled = True
        await uvicorn.Server(config).serve()
    else:
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.errorlog = None
        await serve(cast(ASGIFramework, app), config, shutdown_trigger=stop.wait)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
