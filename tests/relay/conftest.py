"""The relay behind a real HTTP server, in front of real children."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.auth.caller import Caller, CallerKind
from gateway.domain.token import Scope
from gateway.domain.view import View
from gateway.http_server import serve_http
from gateway.listening import listen, url_of
from gateway.relay.begun import BEGUN, Begun
from gateway.relay.endpoint import ServerEndpoint
from gateway.relay.http import Headers, Receive, Send
from gateway.relay.http import Scope as AsgiScope
from gateway.variables import HttpServer
from supervisor.children.era import MODERN_VERSION, PREFIX
from tests.supervisor.conftest import Stage, open_stage, raw_spec

ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
VIEW = View(frozenset({"mcp__raw__version"}))


@dataclass
class Relay:
    """A served relay and a client of it."""

    stage: Stage
    endpoint: ServerEndpoint
    http: httpx2.AsyncClient
    url: str

    async def post(
        self, server: str, message: object, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """POST one body to a server's endpoint."""
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.http.post(
            f"/servers/{server}/mcp", content=content, headers={**ACCEPT, **(headers or {})}
        )

    async def open_session(self, server: str) -> dict[str, str]:
        """Initialise in the handshake era and return the headers of the session."""
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
        answer = await self.post(server, request("initialize", params))
        assert answer.status_code == 200, answer.text
        headers = {"Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}
        done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await self.post(server, done, headers)).status_code == 202
        return headers


def request(method: str, params: object = None, request_id: object = 1) -> dict[str, Any]:
    """Return a JSON-RPC request."""
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else {**message, "params": params}


def modern(
    method: str, params: dict[str, Any] | None = None, request_id: object = 1
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a modern request and its headers."""
    meta = {PREFIX + "protocolVersion": MODERN_VERSION, PREFIX + "clientCapabilities": {}}
    given = params or {}
    body = request(method, {**given, "_meta": {**given.get("_meta", {}), **meta}}, request_id)
    headers = {"MCP-Protocol-Version": MODERN_VERSION, "Mcp-Method": method}
    name = given.get("name") or given.get("uri")
    return body, {**headers, "Mcp-Name": name} if name else headers


def events(response: httpx2.Response) -> list[dict[str, Any]]:
    """Return the messages of an event stream."""
    lines = response.text.split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


@asynccontextmanager
async def serve_relay(
    stage: Stage, http_server: HttpServer = HttpServer.HYPERCORN
) -> AsyncGenerator[Relay]:
    """Serve the relay; the bearer token names the caller, `run` stands for a run's."""
    endpoint = ServerEndpoint(stage.supervisor)

    async def app(scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        begun = scope.get(BEGUN)
        if begun is not None:
            await begun.go_on(receive, send)
            return
        server = scope["path"].split("/")[2]
        await endpoint.handle(scope, receive, send, server=server, caller=_caller(scope))

    def begin(scope: AsgiScope, body: bytes) -> Begun | None:
        server = scope["path"].split("/")[2]
        return endpoint.begin(_caller(scope), Headers(scope), server, body)

    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as sock:
        url = url_of(sock)
        served = asyncio.ensure_future(serve_http(http_server, app, [sock], stop.wait, begin))
        async with httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
            yield Relay(stage, endpoint, client, url)
        endpoint.close()
        stop.set()
        await served


def _caller(scope: AsgiScope) -> Caller:
    name = (Headers(scope).get(b"authorization") or "Bearer owner").removeprefix("Bearer ")
    if name == "run":
        return Caller(CallerKind.RUN, name, frozenset(), VIEW)
    return Caller(CallerKind.TOKEN, name, frozenset(Scope))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat what needs the relay on the second HTTP server in a full run."""
    if "http_server" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        metafunc.parametrize("http_server", list(HttpServer)[: None if full else 1])


@pytest.fixture
async def relay(tmp_path: Path, http_server: HttpServer) -> AsyncGenerator[Relay]:
    """A served relay over a supervisor without servers."""
    async with open_stage(tmp_path) as stage, serve_relay(stage, http_server) as served:
        yield served


@pytest.fixture(scope="module")
async def eras(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Relay]:
    """A relay that a module shares, over the servers `handshake` and `modern`, one of each era."""
    async with open_stage(tmp_path_factory.mktemp("eras")) as stage, serve_relay(stage) as served:
        await stage.start(raw_spec("handshake", "annotated"))
        await stage.start(raw_spec("modern", "modern", "annotated"))
        yield served
