"""A real FastMCP child with a granted host: its proxy, and nothing around it."""

import os
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandboxes.launch import StartKind
from sandboxes.network import way_out
from sandboxes.policy import Level, Limits, Network, NetworkMode
from supervisor.config import SupervisorConfig, WarmStarts
from supervisor.events import Event, HostRefused
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor
from tests.origin import HOST, certify, https_origin
from tests.outside import PUBLIC, FakeOutside
from tests.sandboxes.conftest import open_to_all, skip_unless_available
from tests.toolchain import Toolchain
from tests.waiting import until

pytestmark = pytest.mark.timeout(120)

GUARD_S = 60.0
REHEARSAL = Path(__file__).resolve().parents[2] / "gateway" / "rehearsal.py"
OTHER = "other.example.com"
CODE = """
import os, socket, ssl, urllib.request
from pathlib import Path
import httpx2
from fastmcp import FastMCP

mcp = FastMCP("reach")
TRUST = ssl.create_default_context(cafile=Path(__file__).with_name("ca.pem"))

def attempt(act):
    try:
        return act()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"

def connect(place):
    with socket.create_connection(place, 5):
        return "connected"

@mcp.tool
def by_httpx(url: str) -> str:
    with httpx2.Client(verify=TRUST) as client:
        return attempt(lambda: client.get(url).text)

@mcp.tool
async def by_async_httpx(url: str) -> str:
    async with httpx2.AsyncClient(verify=TRUST) as client:
        return (await client.get(url)).text

@mcp.tool
def by_urllib(url: str) -> str:
    return attempt(lambda: urllib.request.urlopen(url, context=TRUST).read().decode())

@mcp.tool
def around(port: int) -> dict[str, str]:
    return {
        "loopback": attempt(lambda: connect(("127.0.0.1", port))),
        "address": attempt(lambda: connect(("1.1.1.1", 443))),
        "lookup": attempt(lambda: socket.gethostbyname("pages.example.com")),
        "datagram": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        "listen": attempt(lambda: socket.create_server(("127.0.0.1", 5000))),
        "proxy": attempt(lambda: connect(("127.0.0.1", 3128))),
        "sockets": str(sum("socket:" in attempt(lambda: os.readlink(f"/proc/self/fd/{n}"))
                           for n in range(3))),
    }

mcp.run()
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key."""
    return certify(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def port(certificate: tuple[Path, Path]) -> Generator[int]:
    """The loopback port of an https server for HOST."""
    with https_origin(certificate) as port:
        yield port


class Scene:
    """A supervisor at level strong with servers that try to get out."""

    def __init__(self, supervisor: Supervisor, events: list[Event], outside: FakeOutside) -> None:
        self.supervisor = supervisor
        self.events = events
        self.outside = outside

    async def call(self, server: str, tool: str, **arguments: object) -> Any:
        """Return what a tool of a server says."""
        result = await self.supervisor.request(
            server, "tools/call", {"name": tool, "arguments": arguments}
        )
        return result["structuredContent"].get("result", result["structuredContent"])


def spec(code_dir: Path, name: str, *hosts: str) -> ServerSpec:
    """Return the spec of a server with these hosts."""
    network = Network(NetworkMode.HOSTS, hosts) if hosts else Network()
    return ServerSpec(
        name=name,
        kind=ServerKind.DYNAMIC,
        code_dir=code_dir,
        digest=" ".join(hosts),
        network=network,
        start_timeout_s=GUARD_S,
    )


@asynccontextmanager
async def open_scene(
    folder: Path, outside: FakeOutside, warm: WarmStarts | None = None
) -> AsyncGenerator[Scene]:
    """Enter a supervisor without servers."""

    async def no_credentials(spec: ServerSpec) -> dict[str, str]:
        return {}

    events: list[Event] = []
    supervisor = Supervisor(
        config=SupervisorConfig(
            home=folder, python=Path(sys.executable), level=Level.STRONG, warm=warm
        ),
        credentials=no_credentials,
        emit=events.append,
        outside=outside,
    )
    async with supervisor:
        yield Scene(supervisor, events, outside)


@pytest.fixture
def code_dir(tmp_path: Path, certificate: tuple[Path, Path]) -> Path:
    """The code of the servers, readable by every user."""
    skip_unless_available(Level.STRONG)
    open_to_all(tmp_path)
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "server.py").write_text(CODE, encoding="utf-8")
    (folder / "ca.pem").write_bytes(certificate[0].read_bytes())
    return folder


@pytest.mark.parametrize("start", list(StartKind), ids=list(StartKind))
async def test_a_child_reaches_its_granted_host_and_nothing_around_it(
    code_dir: Path, port: int, start: StartKind
) -> None:
    """Ours: https through the proxy of this child; every other way is closed."""
    outside = FakeOutside({HOST: [[PUBLIC]]}, {(PUBLIC, 443): port})
    warm = WarmStarts(REHEARSAL, (code_dir,)) if start is StartKind.WARM else None
    async with open_scene(code_dir.parent / "home", outside, warm) as scene:
        await scene.supervisor.apply(spec(code_dir, "granted", HOST), enabled=True)
        await scene.supervisor.apply(spec(code_dir, "bare"), enabled=True)
        for server in ("granted", "bare"):
            seen = await scene.supervisor.wait_settled(server, GUARD_S)
            assert (seen.state, seen.start) == ("ready", start), seen
        for tool in ("by_httpx", "by_async_httpx", "by_urllib"):
            answer = await scene.call("granted", tool, url=f"https://{HOST}/")
            assert (tool, answer) == (tool, f"hello from {HOST}")
        refused = await scene.call("granted", "by_urllib", url=f"https://{OTHER}/")
        sentence = f"{OTHER}:443 is not granted to this server; add '{OTHER}' to its network hosts."
        assert sentence in refused
        assert sentence in await scene.call("granted", "by_httpx", url=f"https://{OTHER}/")
        plain = await scene.call("granted", "by_httpx", url=f"http://{HOST}/")
        assert plain == f"Plain http to '{HOST}' is not carried; use an https address.\n"
        around = await scene.call("granted", "around", port=port)
        assert {key: text.partition(":")[0] for key, text in around.items()} == {
            "loopback": "PermissionError",
            "address": "PermissionError",
            "lookup": "gaierror",
            "datagram": "PermissionError",
            "listen": "PermissionError",
            "proxy": "connected",
            "sockets": "0",
        }
        assert scene.outside.dialled == [(PUBLIC, 443)] * 3
        # The same address and port, from a child beside it.
        assert (await scene.call("bare", "around", port=port))["proxy"].startswith("Permission")
        told = [event for event in scene.events if isinstance(event, HostRefused)]
        assert [(event.server, event.host) for event in told] == [
            ("granted", f"{OTHER}:443"),
            ("granted", f"'{HOST}'"),
        ]
        seen = scene.supervisor.snapshot("granted")
        assert set(seen.refused_hosts) == {f"{OTHER}:443", f"'{HOST}'"}
        assert seen.bytes_out > 0 < seen.bytes_in


async def test_a_new_grant_holds_from_the_reload_on_and_the_proxy_ends_with_its_child(
    code_dir: Path, port: int
) -> None:
    """Ours: a grant is part of the spec, so new hosts come with a new child and a new proxy."""
    outside = FakeOutside({HOST: [[PUBLIC]]}, {(PUBLIC, 443): port})
    url = f"https://{HOST}/"
    async with open_scene(code_dir.parent / "home", outside) as scene:
        await scene.supervisor.apply(spec(code_dir, "reach", OTHER), enabled=True)
        await scene.supervisor.wait_settled("reach", GUARD_S)
        assert "is not granted" in await scene.call("reach", "by_urllib", url=url)
        await scene.supervisor.apply(spec(code_dir, "reach", HOST), enabled=True)
        assert await scene.call("reach", "by_urllib", url=url) == f"hello from {HOST}"
        assert proxies() > 0
        await scene.supervisor.disable("reach")
        await until(lambda: not proxies())


async def test_the_fetch_server_leaves_names_to_the_proxy(
    code_dir: Path, port: int, toolchain: Toolchain
) -> None:
    """Ours: its guard against private addresses resolves names itself, and goes on without.

    It cannot be given the test's certificate authority, so its way ends in the TLS handshake.
    """
    outside = FakeOutside({HOST: [[PUBLIC]]}, {(PUBLIC, 443): port})
    fetch = replace(
        spec(code_dir, "fetch", HOST),
        command=toolchain.command("fetch"),
        read_only=toolchain.read_only,
        limits=Limits(address_space_bytes=None),
    )
    async with open_scene(code_dir.parent / "home", outside) as scene:
        await scene.supervisor.apply(fetch, enabled=True)
        await scene.supervisor.wait_settled("fetch", GUARD_S)
        for host in (HOST, OTHER):
            arguments = {"url": f"https://{host}/"}
            params = {"name": "fetch", "arguments": arguments}
            result = await scene.supervisor.request("fetch", "tools/call", params)
            assert "due to a connection issue" in result["content"][0]["text"]
        assert scene.outside.dialled == [(PUBLIC, 443)]
        assert scene.supervisor.snapshot("fetch").refused_hosts == (f"{OTHER}:443",)


def proxies() -> int:
    """Return how many proxy listeners this process holds; each is in a network of its own."""
    return [*map(_proxy_port, Path("/proc/self/fd").iterdir())].count(way_out.PORT)


def _proxy_port(descriptor: Path) -> int | None:
    try:
        with socket.socket(fileno=os.dup(int(descriptor.name))) as copy:
            listens = copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return copy.getsockname()[1] if listens else None
    except OSError:
        return None
