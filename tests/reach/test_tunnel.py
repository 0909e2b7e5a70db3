"""The tunnel of NGROK_AUTHTOKEN: with a stand-in for the service, and the SDK without network."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx2
import pytest

from gateway.auth.origins import Origins, allowed_origins
from gateway.connector.further import further_steps
from gateway.connector.report import Grade
from gateway.http_server import serve_http
from gateway.listening import listen
from gateway.main import Gateway
from gateway.reach.address import client_address
from gateway.reach.ngrok_sdk import load_sdk
from gateway.reach.opening import open_reach
from gateway.reach.proxies import TrustedProxies, entrance
from gateway.reach.tunnel import Tunnel, TunnelRefused, TunnelState
from gateway.relay.http import Receive, Scope, Send, send_body
from gateway.secret import Secret
from gateway.settings import load
from gateway.variables import CHECKOUT, HttpServer
from tests.cli.gateways import make_place
from tests.reach.asking import ask
from tests.reach.conftest import BASE, environment, open_gateway
from tests.relay.conftest import ACCEPT, modern
from tests.waiting import PATIENCE_S

TOKEN = Secret("2abcDEF_canary")
URL = "https://odd-name.ngrok.example"
LOGIN = {"DASHBOARD_USERNAME": "ann", "DASHBOARD_PASSWORD": "correct horse"}
NO_NETWORK = ("bwrap", "--unshare-net", "--dev-bind", "/", "/")


Asked = tuple[str, str | None, int]


@dataclass
class Service:
    """The service at the other end: refuses a few times, then opens a tunnel."""

    refusals: int = 0
    asked: list[tuple[str, str | None, int]] = field(
        default_factory=list[tuple[str, str | None, int]]
    )
    url: str = URL

    def __post_init__(self) -> None:
        self.told: asyncio.Queue[str | None] = asyncio.Queue()

    @asynccontextmanager
    async def open(self, token: Secret, domain: str | None, port: int) -> AsyncGenerator["Service"]:
        """Open a tunnel."""
        self.asked.append((token.reveal(), domain, port))
        if len(self.asked) <= self.refusals:
            raise TunnelRefused("ngrok says: no.")
        yield self

    async def wait_until_changed(self) -> str | None:
        """Return what a test tells."""
        return await self.told.get()


@dataclass
class Room:
    """A tunnel, its service, and how long it waited between attempts."""

    service: Service
    origins: Origins
    waits: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.tunnel = Tunnel(
            TOKEN, port=9000, origins=self.origins, open_it=self.service.open, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await anyio.lowlevel.checkpoint()

    @asynccontextmanager
    async def running(self, until: Callable[[], bool]) -> AsyncGenerator[None]:
        """Run the tunnel; begin the body once it is so far."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.tunnel.run)
            await self.reach(until)
            yield
            group.cancel_scope.cancel()

    async def reach(self, fact: Callable[[], bool]) -> None:
        """Return once something is true, looked at in every turn: no time passes in here."""
        with anyio.fail_after(PATIENCE_S):
            while not fact():
                await anyio.lowlevel.checkpoint()

    def is_open(self) -> bool:
        """True when the tunnel says so."""
        return self.tunnel.status.state is TunnelState.OPEN


async def test_the_address_of_the_tunnel_becomes_the_public_one() -> None:
    """Issue 6, What 5."""
    room = Room(Service(), allowed_origins("127.0.0.1", None))
    assert not room.origins.answers_to("odd-name.ngrok.example")
    async with room.running(room.is_open):
        assert room.origins.answers_to("odd-name.ngrok.example")
        assert room.origins.public_origin == URL
        assert room.origins.base_of("http", "odd-name.ngrok.example") == URL
        assert room.tunnel.status.sentence() == f"The tunnel is open at {URL}."
    assert room.service.asked == [(TOKEN.reveal(), None, 9000)]


async def test_the_link_for_a_credential_leads_through_the_tunnel(tmp_path: Path) -> None:
    """Issue 6, What 5 and 7: where the owner of a chat is, this machine's own address is not."""
    asked = {**environment(tmp_path), "SANDBOX": "off"}
    del asked["PUBLIC_URL"]
    server = tmp_path / "fixed" / "mailer"
    server.mkdir()
    (server / "server.py").write_text("raise SystemExit(3)\n", "utf-8")
    async with open_gateway(asked, BASE) as gateway:
        await gateway.servers.disk.load_all()
        assert (await credential_link(gateway)).startswith(f"{BASE}/")
        room = Room(Service(), gateway.reach.origins)
        async with room.running(room.is_open):
            assert (await credential_link(gateway)).startswith(f"{URL}/")


async def credential_link(gateway: Gateway) -> str:
    """Return the link of `request_credential`."""
    params = {"name": "request_credential", "arguments": {"server": "mailer", "key": "API_KEY"}}
    body, headers = modern("tools/call", params)
    sent = {
        **headers,
        **ACCEPT,
        "Host": "127.0.0.1:8080",
        "Authorization": f"Bearer {gateway.guard.make_local_token()}",
    }
    fields = [(name.lower(), value) for name, value in sent.items()]
    answer = await ask(gateway.app, "/mcp", *fields, method="POST", body=json.dumps(body).encode())
    return json.loads(answer.body)["result"]["structuredContent"]["link"]


async def test_the_name_of_public_url_is_asked_for() -> None:
    """Ours: an address that was given to claude.ai stays."""
    service = Service(url="https://runner.example.org")
    room = Room(service, allowed_origins("127.0.0.1", "https://runner.example.org"))
    async with room.running(room.is_open):
        assert service.asked[0][1] == "runner.example.org"


async def test_a_tunnel_that_cannot_be_opened_is_tried_again_later_and_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Issue 6, What 5: with back-off, told once, and nobody waits for it."""
    caplog.set_level(logging.INFO)
    room = Room(Service(refusals=10), allowed_origins("127.0.0.1", None))
    async with room.running(lambda: len(room.waits) == 3):
        assert room.tunnel.status.sentence() == (
            "There is no tunnel: ngrok says: no. It is tried again."
        )
        await room.reach(room.is_open)
    assert room.waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert TOKEN.reveal() not in caplog.text


async def test_an_interruption_is_told_and_its_end_too() -> None:
    """Ours: the SDK mends it by itself, under the same address."""
    room = Room(Service(), allowed_origins("127.0.0.1", None))
    async with room.running(room.is_open):
        room.service.told.put_nowait("connection reset")
        await room.reach(lambda: not room.is_open())
        assert room.tunnel.status.sentence() == (
            f"The tunnel at {URL} is interrupted: connection reset."
        )
        assert room.origins.public_origin == URL
        room.service.told.put_nowait(None)
        await room.reach(room.is_open)


@pytest.mark.parametrize("chosen", HttpServer)
async def test_callers_through_the_tunnel_are_told_apart(chosen: HttpServer) -> None:
    """Ours: at its own port its word counts, at the gateway's it does not."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send_body(send, 200, client_address(scope).encode())

    socks = [listen("127.0.0.1", 0) for _ in range(2)]
    ports = [sock.getsockname()[1] for sock in socks]
    trusted = TrustedProxies(tunnel_port=ports[1])
    behind = entrance(app, trusted, allowed_origins("127.0.0.1", URL))
    stop, seen = anyio.Event(), list[str]()
    async with anyio.create_task_group() as group, httpx2.AsyncClient(trust_env=False) as http:
        group.start_soon(serve_http, chosen, behind, socks, stop.wait)
        headers = {"X-Forwarded-For": "203.0.113.7", "Connection": "close"}
        for port in ports:
            seen.append((await http.get(f"http://127.0.0.1:{port}/", headers=headers)).text)
        stop.set()
    assert seen == ["127.0.0.1", "203.0.113.7"]


def test_without_the_package_the_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ours: it is an extra."""
    monkeypatch.setitem(sys.modules, "ngrok", None)
    with pytest.raises(TunnelRefused) as refused:
        load_sdk()
    assert str(refused.value) == (
        "NGROK_AUTHTOKEN is set and ngrok's package is not installed; "
        "run ./claude-runner tunnel install."
    )


def test_the_package_is_installed_by_a_command(tmp_path: Path) -> None:
    """Ours: it is there already where tests run, and checked by its hashes again."""
    done = make_place(tmp_path).run("tunnel", "install", env={"HOME": str(tmp_path)})
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.endswith("ngrok's package is installed; start the gateway again.\n")


SERVE_WITHOUT_NETWORK = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from tests.cli.gateways import make_place
place = make_place(pathlib.Path(sys.argv[2]))
with place.gateway(**json.loads(sys.argv[3])):
    for _ in range(50):
        shown = place.run("status").stdout
        if "There is no tunnel" in shown:
            break
    print(shown)
print(place.folder.joinpath("gateway.log").read_text("utf-8"))
"""


@pytest.mark.timeout(120)
@pytest.mark.full
def test_without_network_the_gateway_serves_and_says_what_the_sdk_said(tmp_path: Path) -> None:
    """Issue 6, What 5: the real SDK, in a network of its own that leads nowhere."""
    given = json.dumps({"NGROK_AUTHTOKEN": TOKEN.reveal(), **LOGIN})
    script = ["-c", SERVE_WITHOUT_NETWORK, str(CHECKOUT), str(tmp_path), given]
    done = subprocess.run(
        [*NO_NETWORK, sys.executable, *script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    sentence = (
        "There is no tunnel: ngrok says: failed to connect session: failed to establish tcp "
        "connection. It is tried again."
    )
    assert sentence in done.stdout.splitlines()
    assert f"gateway.reach.tunnel: {sentence}" in done.stdout
    assert TOKEN.reveal() not in done.stdout


def test_the_doctor_shows_the_tunnel(tmp_path: Path) -> None:
    """Issue 6, What 5."""
    asked = environment(tmp_path) | LOGIN | {"NGROK_AUTHTOKEN": TOKEN.reveal()}
    settings = load(asked, None)
    look = further_steps(settings, open_reach(settings, BASE, tunnel_port=9000), lambda: ())
    step = look()[0]
    assert (step.name, step.seen) == ("tunnel", "The tunnel is being opened.")
    assert step.wrong == "Nobody comes in by the tunnel."


def test_the_doctor_misses_a_password_where_others_reach_the_gateway(tmp_path: Path) -> None:
    """Ours: consent through PUBLIC_URL then needs a one-time link."""
    settings = load(environment(tmp_path), None)
    step = further_steps(settings, open_reach(settings, BASE, tunnel_port=None), lambda: ())()[0]
    assert (step.name, step.grade) == ("login", Grade.WARNING)
