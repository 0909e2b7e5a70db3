"""The authorization server alone: a real store, its routes, and a clock that a test moves."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from gateway.access.page import AccessPage
from gateway.approvals import Approvals
from gateway.auth.access_tokens import Fingerprints
from gateway.auth.endings import Endings
from gateway.auth.guard import Guard
from gateway.auth.origins import allowed_origins
from gateway.auth.run_tokens import RunTokens
from gateway.dashboard import Sessions, Sources, build_dashboard
from gateway.dashboard.live import Live
from gateway.dashboard.password import OwnersPassword
from gateway.dashboard.work import Runs, Waiting
from gateway.domain.clock import utc_ms
from gateway.oauth.clients import Configured
from gateway.oauth.documents.fetch import Fetcher
from gateway.oauth.server import AuthorizationServer
from gateway.relay.http import Receive, Scope, Send
from gateway.routes import Room, find_room
from gateway.secret import Secret
from gateway.store import Store
from supervisor.metering.metrics import ServerMetrics
from tests.dashboard.parts import NO_SERVERS, make_login
from tests.databases import open_store
from tests.oauth.parts import Browser, Program

BASE = "http://127.0.0.1:8080"
PUBLIC = "https://runner.example.org"
PASSWORD = OwnersPassword("ann", Secret("correct horse"))


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: int

    def __call__(self) -> int:
        return self.now

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * 1000)


@dataclass
class Stage:
    """What a test of the server needs."""

    store: Store
    path: Path
    server: AuthorizationServer
    guard: Guard
    sessions: Sessions
    clock: Clock
    http: httpx2.AsyncClient
    transport: httpx2.ASGITransport

    def program(self, base: str = BASE) -> Program:
        """Return a client that is not registered yet."""
        return Program(base, self.http)

    @asynccontextmanager
    async def browser(self, base: str = BASE) -> AsyncGenerator[Browser]:
        """Run a browser in which the owner is logged in."""
        async with self.stranger(base) as browser:
            await browser.log_in(f"/login?key={self.sessions.links.issue()}")
            yield browser

    @asynccontextmanager
    async def stranger(self, base: str = BASE) -> AsyncGenerator[Browser]:
        """Run a browser of somebody."""
        async with httpx2.AsyncClient(transport=self.transport) as http:
            yield Browser(base, http)


@asynccontextmanager
async def open_stage(
    folder: Path,
    *,
    key: bytes = b"key",
    configured: Configured | None = None,
    fetcher: Fetcher | None = None,
) -> AsyncGenerator[Stage]:
    """Serve the authorization server of the database in `folder`."""
    clock = Clock(utc_ms())
    path = folder / "jobs.db"
    async with open_store(path) as store:
        endings = Endings(clock)
        server = AuthorizationServer(store, Fingerprints(key), configured, clock, endings, fetcher)
        guard = Guard(store, RunTokens(), server.access_tokens, endings)
        origins = allowed_origins("127.0.0.1", PUBLIC)
        sessions = Sessions(clock)
        login = make_login(sessions, origins, lambda: clock.now / 1000, PASSWORD)
        live = Live(lambda: 0.0)
        access = AccessPage(login, server.access(), store.tokens, guard, live)
        pages = (server.pages(login.browser), access.blueprint())
        dashboard = build_dashboard(_NOTHING, login, live, pages)
        endpoints = server.endpoints(origins)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if find_room(scope["path"])[0] is Room.OAUTH:
                await endpoints(scope, receive, send)
            else:
                await dashboard.app(scope, receive, send)  # pyright: ignore[reportArgumentType] - Quart's own TypedDicts

        transport = httpx2.ASGITransport(app)  # pyright: ignore[reportArgumentType] - ASGI by other names
        async with httpx2.AsyncClient(transport=transport) as http:
            yield Stage(store, path, server, guard, sessions, clock, http, transport)


class _NoWork:
    """Nothing runs and nothing waits."""

    async def runs(self) -> Runs:
        """None."""
        return Runs()

    async def waiting(self) -> Waiting:
        """Nothing."""
        return Waiting()


def _no_metrics(_: str) -> ServerMetrics:
    raise LookupError


_NOTHING = Sources(lambda: (), _no_metrics, _NoWork(), Approvals(NO_SERVERS), lambda: 0.0)
