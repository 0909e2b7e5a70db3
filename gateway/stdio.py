"""The bridge: a client that starts us on stdio while a gateway holds the home talks to that one.

Each line of standard input becomes a POST to one MCP endpoint; every message that comes back is a
line of standard output. Messages are read for their envelope only, so both eras pass.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast
from urllib.parse import quote

import anyio
import httpx2
from anyio import CancelScope
from anyio.abc import TaskGroup

from gateway.local import LiveGateway
from gateway.mcp_headers import stateless_headers, stateless_version
from gateway.stdio_wire import BridgeEnded, Wire

CONNECT_TIMEOUT_S = 5.0
LAST_ANSWERS_S = 10.0
"""For calls under way when standard input ends: as long as the gateway itself drains."""
GOODBYE_S = 2.0
LISTEN_AGAIN_S = 0.5
"""Between the end of a stream and the next one: the gateway may be ending."""
READY_WAIT_S = 30.0
"""For a gateway that has begun to listen and still reads its servers' folders."""
LOOK_EVERY_S = 0.1
MANAGEMENT = "/mcp"
COMBINED = "/mcp/all"
PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR = -32700, -32600, -32603
ACCEPTED = 202
TAKEN_OR_ENDING = (409, 503)
"""The last stream is not seen to have ended yet, or the gateway accepts nothing new."""
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}

Message = Mapping[str, Any]
RequestId = str | int


def server_path(server: str) -> str:
    """Return the path of one server's endpoint."""
    return f"/servers/{quote(server, safe='')}/mcp"


def bridge(live: LiveGateway, path: str = MANAGEMENT) -> None:
    """Pass messages until standard input ends. Raises BridgeEnded."""
    asyncio.run(pass_messages(live, path))


async def pass_messages(live: LiveGateway, path: str = MANAGEMENT) -> None:
    """Pass messages until standard input ends, inside a running loop. Raises BridgeEnded."""
    wire = await Wire.open()
    timeout = httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {live.token}"}
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(
        timeout=timeout, headers=headers, limits=limits, trust_env=False
    ) as client:
        await Bridge(client, live, wire, path).run()


class Bridge:
    """One client's conversation with the gateway."""

    def __init__(
        self, client: httpx2.AsyncClient, live: LiveGateway, wire: Wire, path: str
    ) -> None:
        self._client = client
        self._live = live
        self._path = path
        self._url = live.url + path
        self._wire = wire
        self._session: dict[str, str] = {}
        self._stateless: dict[RequestId, CancelScope] = {}
        self._waiting: dict[RequestId, None] = {}
        """Requests that have no answer yet, oldest first."""

    async def run(self) -> None:
        """Pass messages until the client ends its side. Raises BridgeEnded."""
        try:
            if self._path != MANAGEMENT:
                await self._until_ready()
            async with anyio.create_task_group() as streams:
                async with anyio.create_task_group() as requests:
                    async for line in self._wire.lines():
                        await self._take(line, requests, streams)
                    requests.cancel_scope.deadline = anyio.current_time() + LAST_ANSWERS_S
                streams.cancel_scope.cancel()
        except* BridgeEnded as group:
            raise _first(group) from None
        except* httpx2.TransportError:
            ended = f"The gateway at {self._live.url} (process {self._live.pid}) has ended."
            for request_id in tuple(self._waiting):
                await self._refuse(request_id, INTERNAL_ERROR, ended)
            raise BridgeEnded(ended) from None
        await self._say_goodbye()

    async def _until_ready(self) -> None:
        """Wait until the gateway knows its servers; after a while whatever it knows will do."""
        with anyio.move_on_after(READY_WAIT_S):
            while True:
                if (await self._client.get(f"{self._live.url}/readyz")).is_success:
                    return
                await anyio.sleep(LOOK_EVERY_S)

    async def _take(self, line: bytes, requests: TaskGroup, streams: TaskGroup) -> None:
        message = _parse(line)
        if message is None:
            if line.strip():
                await self._refuse(None, PARSE_ERROR, "A line that is no JSON object was ignored.")
            return
        method, request_id = message.get("method"), message.get("id")
        if method is not None and request_id is not None:
            if not isinstance(request_id, str | int):
                await self._refuse(None, INVALID_REQUEST, "An id must be a string or a number.")
                return
            requests.start_soon(self._request, message, line, request_id)
        elif method == "notifications/cancelled" and self._cancel(message):
            return
        else:
            # In the order in which they came: what follows may depend on them.
            await self._post_and_pass_on(message, line)
        if method == "notifications/initialized":
            streams.start_soon(self._listen)

    def _cancel(self, message: Message) -> bool:
        """End a stateless call by closing its stream; False when it is the gateway's to end."""
        params = message.get("params")
        cancelled = cast("Message", params).get("requestId") if isinstance(params, dict) else None
        scope = self._stateless.get(cancelled) if isinstance(cancelled, str | int) else None
        if scope is not None:
            scope.cancel()
        return scope is not None

    async def _request(self, message: Message, line: bytes, request_id: RequestId) -> None:
        self._waiting[request_id] = None
        with CancelScope() as scope:
            if stateless_version(message) is not None:
                self._stateless[request_id] = scope
            try:
                if not await self._post_and_pass_on(message, line):
                    await self._refuse(request_id, INTERNAL_ERROR, "The gateway did not answer.")
            finally:
                self._stateless.pop(request_id, None)
        # Not where the whole conversation ends: then it is told so.
        self._waiting.pop(request_id, None)

    async def _post_and_pass_on(self, message: Message, line: bytes) -> bool:
        """Return True when an answer to `message` was among what came back."""
        version = stateless_version(message)
        headers = self._session if version is None else stateless_headers(message, version)
        async with self._client.stream(
            "POST", self._url, content=line.strip(), headers={**ACCEPT, **headers}
        ) as response:
            # A request that was cancelled in a session ends with nothing but this.
            answered = response.status_code == ACCEPTED
            async for data in _messages(response):
                answer = _parse(data)
                if answer is None:
                    continue
                if message.get("method") == "initialize":
                    self._remember_session(response, answer)
                if "method" in answer:
                    await self._wire.write(data)
                elif "id" in message:
                    answered = True
                    await self._wire.write(_addressed(answer, data, message["id"]))
        return answered

    async def _listen(self) -> None:
        """Pass on what the gateway says unasked, in the handshake era, for as long as it does."""
        again = True
        while again:
            headers = {**self._session, "Accept": "text/event-stream"}
            async with self._client.stream("GET", self._url, headers=headers) as response:
                async for data in _messages(response):
                    if response.is_success and _parse(data) is not None:
                        await self._wire.write(data)
            again = response.is_success or response.status_code in TAKEN_OR_ENDING
            await anyio.sleep(LISTEN_AGAIN_S)

    def _remember_session(self, response: httpx2.Response, answer: Message) -> None:
        result = answer.get("result")
        if isinstance(result, dict):
            version = str(cast("Message", result).get("protocolVersion"))
            self._session = {"MCP-Protocol-Version": version}
            if session_id := response.headers.get("Mcp-Session-Id"):
                self._session["Mcp-Session-Id"] = session_id

    async def _say_goodbye(self) -> None:
        if "Mcp-Session-Id" not in self._session:
            return
        with anyio.move_on_after(GOODBYE_S):
            try:
                await self._client.delete(self._url, headers=self._session)
            except httpx2.TransportError:
                return

    async def _refuse(self, request_id: RequestId | None, code: int, sentence: str) -> None:
        error = {"code": code, "message": sentence}
        await self._wire.write(
            json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error}).encode()
        )


async def _messages(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the messages of an answer: one JSON body, or the events of a stream."""
    if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
        yield await response.aread()
        return
    lines: list[bytes] = []
    async for line in _lines(response):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif not line and lines:
            yield b"\n".join(lines)
            lines = []


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    # Not aiter_lines: it also splits at U+2028, which JSON may hold.
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")


def _addressed(answer: Message, data: bytes, request_id: object) -> bytes:
    """Return an answer under its request's id, which the gateway may not have been able to read."""
    if answer.get("id") is not None:
        return data
    return json.dumps({**answer, "id": request_id}).encode()


def _parse(line: bytes) -> Message | None:
    try:
        message: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("Message", message) if isinstance(message, dict) else None


def _first(group: BaseExceptionGroup[BridgeEnded]) -> BridgeEnded:
    leaf = group.exceptions[0]
    return _first(leaf) if isinstance(leaf, BaseExceptionGroup) else leaf
