"""Snapshots, runs and a dashboard of the tests' own making."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import MagicMock

from quart import Blueprint
from quart import typing as quart_typing

from gateway.approvals import Approvals
from gateway.auth.access_tokens import Fingerprints
from gateway.auth.origins import Origins, allowed_origins
from gateway.dashboard import Dashboard, Login, Sessions, Sources, build_dashboard
from gateway.dashboard.browser import Browser
from gateway.dashboard.known_browsers import KnownBrowsers
from gateway.dashboard.live import Live
from gateway.dashboard.password import OwnersPassword
from gateway.dashboard.throttle import Throttle
from gateway.dashboard.work import Runs, Waiting
from gateway.domain.job import Job
from gateway.domain.run import Run, RunStatus, Trigger
from sandboxes.launch import StartKind
from sandboxes.policy import MIB, Level
from supervisor.events import ServerState
from supervisor.metering.latency import Latency
from supervisor.metering.metrics import Point, ServerMetrics
from supervisor.snapshot import ServerSnapshot
from supervisor.spec import Era, ServerKind
from supervisor.supervisor import Supervisor

NO_SERVERS = MagicMock(spec=Supervisor, names=())
"""For the dashboards of tests that are not about approvals."""
ORIGINS = allowed_origins("127.0.0.1", "https://runner.example.org")

SNAPSHOT = ServerSnapshot(
    name="email",
    kind=ServerKind.DYNAMIC,
    description="Sends mail",
    state=ServerState.READY,
    reason="",
    level=Level.STRONG,
    generation=3,
    pid=4242,
    start=StartKind.COLD,
    uptime_s=61.0,
    restarts=2,
    era=Era.HANDSHAKE,
    calls=17,
    errors=1,
    in_flight=1,
    tools=({"name": "send"}, {"name": "list"}),
    stderr_tail=(),
    last_exit=None,
    digest="00",
)
METRICS = ServerMetrics(
    cpu_percent=2.5,
    resident_bytes=60 * MIB,
    private_bytes=18 * MIB,
    processes=3,
    threads=5,
    open_files=12,
    data_dir_bytes=MIB,
    calls=17,
    errors=1,
    restarts=2,
    latency=Latency(16, 3.5, 12.25, 40.0),
    fine=tuple(Point(1000 + n, float(n), 60 * MIB, 18 * MIB, 1, 0, 4.0) for n in range(3)),
)
RUN = Run(
    id="run_a",
    trigger=Trigger.MANUAL,
    status=RunStatus.SUCCEEDED,
    prompt="Say hello",
    tools=(),
    servers=(),
    created_at=1_795_330_000_000,
    job_id="job_a",
    started_at=1_795_330_001_000,
    finished_at=1_795_330_004_500,
    cost_micro_usd=12_300,
)


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def make_login(
    sessions: Sessions,
    origins: Origins,
    monotonic: Callable[[], float],
    password: OwnersPassword | None = None,
) -> Login:
    """Return a login without a store."""
    return Login(
        sessions=sessions,
        origins=origins,
        password=password,
        throttle=Throttle(monotonic),
        known_browsers=KnownBrowsers(Fingerprints(b"key").of),
    )


@dataclass
class Shown:
    """A dashboard over values that a test can change."""

    snapshots: Sequence[ServerSnapshot] = (SNAPSHOT,)
    ran: Sequence[Run] = (RUN,)
    jobs: Sequence[Job] = ()
    waits: Waiting = field(default_factory=Waiting)
    metrics: ServerMetrics = METRICS
    origins: Origins = ORIGINS
    clock: Clock = field(default_factory=Clock)
    monotonic: Callable[[], float] | None = None
    """Of the stream; None: the clock that stands still."""
    renderings: int = 0
    approvals: Approvals = field(default_factory=lambda: Approvals(NO_SERVERS))
    password: OwnersPassword | None = None
    address: str = "127.0.0.1"
    """Where the requests of the tests come from."""
    followed: Live | None = None
    """What pages of other rooms were given already."""
    further: Callable[[Browser], Sequence[Blueprint]] = lambda _: ()
    """Pages of other rooms."""

    read_metrics: list[str] = field(default_factory=list[str])
    """Of which servers figures were read."""

    def __post_init__(self) -> None:
        self.sessions = Sessions(lambda: int(self.clock.now_s * 1000))
        login = make_login(self.sessions, self.origins, self.clock, self.password)
        monotonic = self.monotonic or self.clock
        self.live = live = self.followed or Live(monotonic)
        self.dashboard: Dashboard = build_dashboard(
            Sources(self._snapshots, self._metrics_of, self, self.approvals, monotonic),
            login,
            live,
            self.further(login.browser),
        )
        self.app = self.dashboard.app
        answer = self.app.asgi_app

        async def from_address(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("client", (self.address, 1))
            await answer(scope, receive, send)

        self.app.asgi_app = from_address

    def rename(self, name: str) -> None:
        """Show one server under another name."""
        self.snapshots = (replace(SNAPSHOT, name=name),)

    def _snapshots(self) -> tuple[ServerSnapshot, ...]:
        self.renderings += 1
        return tuple(self.snapshots)

    def _metrics_of(self, server: str) -> ServerMetrics:
        self.read_metrics.append(server)
        return self.metrics

    async def runs(self) -> Runs:
        """Return runs; those that have not ended are live."""
        return Runs(
            live=tuple(run for run in self.ran if not run.status.final),
            recent=tuple(self.ran),
            next_jobs=tuple(self.jobs),
            spent_micro_usd=1_230_000,
        )

    async def waiting(self) -> Waiting:
        """Return what waits."""
        return self.waits


def token_of(page: str) -> str:
    """Return the token in a page's form."""
    found = re.search(r'name="form_token" value="([^"]*)"', page)
    assert found is not None, page
    return found[1]


async def send(
    client: quart_typing.TestClientProtocol,
    path: str,
    form: Mapping[str, str],
    *,
    page: str,
    **headers: str,
) -> Any:
    """Load `page` and send a form from it, as a browser without Fetch Metadata does."""
    loaded = await client.get(page, headers=headers)
    fields = {"form_token": token_of(await loaded.get_data(as_text=True)), **form}
    return await client.post(path, form=fields, headers=headers)


async def open_link(shown: Shown, client: quart_typing.TestClientProtocol, **headers: str) -> Any:
    """Press the button of a fresh one-time link."""
    key = shown.sessions.links.issue()
    return await send(client, "/login", {"key": key}, page=f"/login?key={key}", **headers)


async def sign_in(shown: Shown) -> quart_typing.TestClientProtocol:
    """Return a client with an open session."""
    client = shown.app.test_client()
    assert (await open_link(shown, client)).status_code == 303
    return client
