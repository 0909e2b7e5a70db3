"""What the tests of runs share: an MCP server over HTTP, a gate to it, and a runner's parts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import psutil
from fastmcp import FastMCP

from gateway.auth.run_tokens import RunTokens, token_hash
from gateway.domain.ids import new_id
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.domain.run_file import LeftFiles
from gateway.jobs.clock import SystemClock
from gateway.jobs.gate import Offer
from gateway.jobs.options import AgentConfig
from gateway.jobs.runner import Runner
from gateway.jobs.surroundings import Surroundings
from gateway.relay.http import send_body
from gateway.run_files.shelf import Shelf
from gateway.secret import Secret
from gateway.server_entries import McpHttpEntry
from gateway.standin import StandIn
from gateway.store import Store
from sandboxes import probe
from sandboxes.network.outside import Outside
from sandboxes.policy import Level
from supervisor.errors import ServerUnavailable, ToolWithheld
from tests.databases import open_store

API_KEY = "sk-ant-of-this-test"
CLI_GUARD_S = 90.0
"""The real CLI takes 2 to 8 s for a run on two busy cores."""

ROOMY = Surroundings(today=lambda: date(2026, 6, 1), has_room=lambda: True)
"""A machine with memory to spare, on a day that does not end."""

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def a_run(**changes: Any) -> Run:
    """Return a queued run, by hand, of no job."""
    run = Run(
        id=new_id("run"),
        trigger=Trigger.MANUAL,
        status=RunStatus.QUEUED,
        prompt="Please use the tool.",
        tools=(),
        servers=(),
        created_at=SystemClock().now_ms(),
        timeout_s=CLI_GUARD_S,
    )
    return replace(run, **changes)


class Gate:
    """A ServerGate over one real MCP server named ``adder``; other names lead nowhere."""

    def __init__(self, app: "Asgi | None" = None, tools: tuple[str, ...] = ()) -> None:
        self.app = app
        self.tools = tools
        self.enabled: tuple[str, ...] = ("adder",)
        self.refuse: set[str] = set()
        self.quarantined: set[str] = set()
        self.tokens: list[str] = []
        self.generation = 1

    def enabled_servers(self) -> tuple[str, ...]:
        return self.enabled

    def offer(self, server: str) -> Offer:
        tools = self.tools if server == "adder" else ()
        return Offer(server, self.generation, "0" * 64, {tool: f"digest-{tool}" for tool in tools})

    def check_tools(self, tools: Any) -> None:
        for server, tool in tools:
            if tool in self.quarantined:
                raise ToolWithheld(server, tool, "its definition changed")

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        if self.app is None or scope["path"] != "/servers/adder/mcp":
            await send_body(send, 404)
        else:
            await self.app(scope, receive, send)

    async def ready(self, servers: tuple[str, ...]) -> None:
        for server in self.refuse.intersection(servers):
            raise ServerUnavailable(server, "backoff", "its child ended with exit code 1")

    def entries(
        self, servers: tuple[str, ...], token: str, base_url: str
    ) -> dict[str, McpHttpEntry]:
        self.tokens.append(token)
        return {
            server: {
                "type": "http",
                "url": f"{base_url}/servers/{server}/mcp",
                "headers": {"Authorization": f"Bearer {token}"},
            }
            for server in servers
        }


class WatchedShelf(Shelf):
    """Notes whether files are stored while their attempt's beginning is still marked."""

    def __init__(self, parts: "Parts") -> None:
        super().__init__(parts.home, parts.store, str)
        self._runs = parts.home / "runs"
        self.marked: list[bool] = []

    async def put(self, left: LeftFiles) -> None:
        self.marked.append((self._runs / left.counts.run_id / "began").exists())
        await super().put(left)


@dataclass
class Parts:
    """Everything a run needs, real but for the model."""

    home: Path
    store: Store
    api: StandIn
    gate: Gate
    run_tokens: RunTokens
    config: AgentConfig
    outside: Outside | None = None

    def runner(self, **changes: Any) -> Runner:
        """Return a runner over these parts."""
        parts = {
            "store": self.store,
            "home": self.home,
            "clock": SystemClock(),
            "agent": self.config,
            "gate": self.gate,
            "run_tokens": self.run_tokens,
            "outside": self.outside,
            "around": ROOMY,
        }
        return Runner(**{**parts, **changes})

    async def execute(self, run: Run, **changes: Any) -> Run:
        """Carry out one run from submit to its end."""
        with anyio.fail_after(CLI_GUARD_S):
            async with self.runner(**changes) as runner:
                await runner.submit(run)
                return await runner.wait(run.id)


@cache
def tightest_level() -> Level:
    """Return the level at which runs are tested here."""
    return probe.available_level()


@asynccontextmanager
async def running_parts(folder: Path, api: StandIn) -> AsyncIterator[Parts]:
    """Give the parts with their servers up."""
    run_tokens = RunTokens()
    async with (
        open_store(folder / "jobs.db") as store,
        api,
        adder(run_tokens) as gate,
    ):
        config = AgentConfig(
            Secret(API_KEY), "claude-test-model", base_url=api.url, level=tightest_level()
        )
        yield Parts(folder, store, api, gate, run_tokens, config)


@asynccontextmanager
async def adder(run_tokens: RunTokens) -> AsyncIterator[Gate]:
    """Run an MCP server that accepts the tokens of live runs only."""
    server = FastMCP("adder")
    server.tool(add)
    server.tool(subtract)
    app = server.http_app(path="/servers/adder/mcp")
    async with app.router.lifespan_context(app):
        yield Gate(_guarded(app, run_tokens), ("add", "subtract"))


def add(a: int, b: int) -> int:
    """Add two integers."""
    return a + b


def subtract(a: int, b: int) -> int:
    """Subtract two integers."""
    return a - b


def _guarded(app: Asgi, run_tokens: RunTokens) -> Any:
    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            header = dict(scope["headers"]).get(b"authorization", b"").decode()
            if run_tokens.grant(token_hash(header.removeprefix("Bearer "))) is None:
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await app(scope, receive, send)

    return guard


@dataclass(frozen=True, slots=True)
class Seen:
    """A living process of a run, as it was when it was looked at."""

    pid: int
    name: str
    arguments: tuple[str, ...]
    variables: frozenset[str]


def processes_of(home: Path) -> list[Seen]:
    """Return the living processes that were started for runs under `home`."""
    found: list[Seen] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            environment = process.environ()
            if process.status() != psutil.STATUS_ZOMBIE and any(
                str(home) in value for value in environment.values()
            ):
                names = frozenset(environment)
                found.append(Seen(process.pid, process.name(), tuple(process.cmdline()), names))
    return found


async def until_processes(home: Path, enough: Callable[[list[Seen]], bool]) -> list[Seen]:
    """Return the processes of runs under `home` once they are `enough`."""
    while not enough(found := processes_of(home)):  # noqa: ASYNC110 - a start has no event
        await anyio.sleep(0.05)
    return found
