"""The stand-in's HTTP server on loopback."""

import json
import socket
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType] - its WSGI half is untyped
from hypercorn.config import Config
from quart import Quart, Response, request

from gateway.standin.script import Hang, ModelRequest, Refuse, Say, Script, call_then_report
from gateway.standin.wire import BEHIND_TEXT, events, read_request, whole

CLOSE_GRACE_S = 1.0
"""Requests still open at the end are cut after this: the scripts that hang never answer."""


class StandIn:
    """Serves a script as the Messages API: ``async with StandIn() as api: ... api.url``."""

    def __init__(self, script: Script = call_then_report, *, port: int = 0) -> None:
        self.script = script
        """What answers; may be replaced at any time."""
        self._port = port
        self._closing = anyio.Event()
        self._arrival = anyio.Event()
        self._tasks: TaskGroup
        self.requests: list[ModelRequest] = []
        """Every request for a message, oldest first."""
        self.url = ""
        """Value for ANTHROPIC_BASE_URL while the stand-in runs."""

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", self._port))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._serve, listener)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        await self._tasks.__aexit__(kind, error, trace)

    async def wait_for_request(self, count: int = 1) -> ModelRequest:
        """Return the `count`-th request as soon as it has arrived."""
        while len(self.requests) < count:
            await self._arrival.wait()
        return self.requests[count - 1]

    async def _serve(self, listener: socket.socket) -> None:
        config = Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.accesslog = None
        config.errorlog = None
        config.graceful_timeout = CLOSE_GRACE_S
        await serve(self._app(), config, shutdown_trigger=self._closing.wait)

    def _app(self) -> Quart:
        app = Quart(__name__)
        app.add_url_rule("/v1/messages", view_func=self._message, methods=["POST"])
        app.add_url_rule("/", view_func=_greet, methods=["GET", "HEAD"])
        return app

    async def _message(self) -> Response:
        asked = read_request(json.loads(await request.get_data()))
        self.requests.append(asked)
        number = len(self.requests)
        self._arrival.set()
        self._arrival = anyio.Event()
        reply = self.script(asked)
        if isinstance(reply, Hang):
            await self._closing.wait()
            reply = Refuse(message="the stand-in ended")
        if isinstance(reply, Refuse):
            return _json({"type": "error", "error": {"type": reply.kind, "message": reply.message}},
                         reply.status)  # fmt: skip
        await anyio.sleep(reply.delay_s)
        if not asked.streamed:
            return _json(whole(reply, model=asked.model, number=number), 200)
        stream = events(reply, model=asked.model, number=number)
        hold = reply.hold if isinstance(reply, Say) else None
        return Response(_each(list(stream), hold), content_type="text/event-stream")


async def _each(chunks: list[bytes], hold: anyio.Event | None) -> AsyncIterator[bytes]:
    last = len(chunks) - BEHIND_TEXT - 1
    for number, chunk in enumerate(chunks):
        if number == last and hold is not None:
            await hold.wait()
        yield chunk


async def _greet() -> Response:
    return _json({"stand-in": "This is no model; it answers from a script."}, 200)


def _json(body: object, status: int) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
