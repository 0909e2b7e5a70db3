"""nginx and Caddy of the distribution, with the configurations of `deploy/`, before a gateway."""

import os
import re
import shutil
import signal
import ssl
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from gateway.connector import doctor
from gateway.connector import way as walk
from gateway.http_server import serve_http
from gateway.listening import listen, url_of
from gateway.main import Gateway
from gateway.variables import HttpServer
from tests.connector.proxy import make_certificate
from tests.demonstrations import Counts, Demonstrations
from tests.deploy.machine import CHECKOUT
from tests.oauth.fastmcp_client import ScriptedOAuth
from tests.oauth.parts import Browser
from tests.ports import free_port
from tests.reach.conftest import environment, open_gateway

pytestmark = [
    pytest.mark.timeout(900),
    # The client's tokens live as long as the test.
    pytest.mark.filterwarnings("ignore:Using in-memory token storage"),
]

WALKER = """
import asyncio

from fastmcp import Context

turns = asyncio.Semaphore(0)


@mcp.tool
async def walk(steps: int, ctx: Context) -> int:
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
        await turns.acquire()
    return steps


@mcp.tool
async def go() -> None:
    turns.release()
"""
"""Each step is told, and the next one waits until whoever was told asks for it."""
STEPS, SILENCE_S = 8, 75
"""Of a full run: ten minutes, with silences that a proxy's default time-out of 60 s would end."""
USER, PASSWORD = "ann", "correct horse"
START_S = 30


@dataclass
class House:
    """A gateway without TLS, and the address that proxies make of it."""

    gateway: Gateway
    upstream: str
    port: int
    plain_port: int
    certificate: Path
    folder: Path

    @property
    def public(self) -> str:
        """What PUBLIC_URL says."""
        return f"https://localhost:{self.port}"

    def rewritten(self, text: str) -> str:
        """Return a configuration with this machine's ports and certificate."""
        text = re.sub(r"/etc/letsencrypt/live/\S+\.pem", str(self.certificate), text)
        text = re.sub(r"listen \[::\].*\n", "", text)
        text = text.replace("listen 443", f"listen 127.0.0.1:{self.port}")
        text = text.replace("listen 80", f"listen 127.0.0.1:{self.plain_port}")
        return text.replace("127.0.0.1:8080", self.upstream.removeprefix("http://"))


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """One gateway for both proxies; the machine trusts their certificate."""
    folder = tmp_path_factory.mktemp("proxies")
    folder.chmod(0o755)
    certificate, port = make_certificate(folder / "tls.pem"), free_port()
    settings = environment(folder) | {
        "PUBLIC_URL": f"https://localhost:{port}",
        "TRUSTED_PROXIES": "127.0.0.1, ::1",
        "DASHBOARD_USERNAME": USER,
        "DASHBOARD_PASSWORD": PASSWORD,
        "SANDBOX": "off",
    }
    (folder / "fixed" / "walker").mkdir()
    (folder / "fixed" / "walker" / "server.py").write_text(WALKER, "utf-8")
    sock, stop = listen("127.0.0.1", 0), anyio.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificate))
        async with (
            open_gateway(settings, url_of(sock)) as gateway,
            anyio.create_task_group() as group,
        ):
            await gateway.servers.disk.load_all()
            gateway.loaded.set()
            group.start_soon(serve_http, HttpServer.HYPERCORN, gateway.app, [sock], stop.wait)
            yield House(gateway, url_of(sock), port, free_port(), certificate, folder)
            stop.set()


@contextmanager
def nginx(house: House) -> Generator[None]:
    """Run nginx with our site and the rest of its configuration as short as it can be."""
    site = house.rewritten((CHECKOUT / "deploy/nginx/claude-runner.conf").read_text("utf-8"))
    temporary = "".join(
        f"{kind}_temp_path {house.folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = house.folder / "nginx.conf"
    file.write_text(
        f"user root; daemon off; pid {house.folder}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off;\n{temporary}{site}}}\n",
        "utf-8",
    )
    with running([shutil.which("nginx") or "nginx", "-c", str(file)], house):
        yield


@contextmanager
def caddy(house: House) -> Generator[None]:
    """Run Caddy with our site; the certificate is ours, and its storage and plain port too."""
    site = house.rewritten((CHECKOUT / "deploy/caddy/Caddyfile").read_text("utf-8"))
    site = site.replace(
        "runner.example.org {",
        f"https://localhost:{house.port} {{\n\tbind 127.0.0.1\n"
        f"\ttls {house.certificate} {house.certificate}",
    )
    file = house.folder / "Caddyfile"
    head = f"{{\n\tadmin off\n\thttp_port {house.plain_port}\n\tauto_https disable_redirects\n}}\n"
    file.write_text(head + site, "utf-8")
    with running(["caddy", "run", "--adapter", "caddyfile", "--config", str(file)], house):
        yield


@contextmanager
def running(command: list[str], house: House) -> Generator[None]:
    """Run a proxy until the body ends, from when it accepts connections."""
    env = {"PATH": os.defpath, "HOME": str(house.folder)}
    log = house.folder / "proxy.log"
    with log.open("wb") as output, subprocess.Popen(command, env=env, stderr=output) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(START_S)


PROXIES = {"nginx": nginx, "caddy": caddy}


@pytest.mark.parametrize("name", PROXIES)
async def test_a_connector_works_through_a_proxy_of_the_distribution(
    house: House, name: str, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue 9, Shows: sign-in, calls, a stream of 10 minutes, a body of 20 MB, claude.ai's way."""
    steps, silence_s = counts(5, STEPS), counts(0, SILENCE_S)
    context = ssl.create_default_context(cafile=house.certificate)
    with PROXIES[name](house):
        async with httpx2.AsyncClient(verify=context, http2=False, timeout=30) as http:
            await until_it_answers(http, house)
            await sign_in_and_walk(http, house, steps, silence_s)
            assert await status_of_a_large_body(house) == "413"
            await look_at_what_arrives(http, house)
            await have_it_examined(http, house)
    result = f"{steps} steps, {silence_s} s of silence after each, all told in order"
    demonstrations.record(f"Minutes of a stream through {name}", steps * silence_s // 60, result)


async def status_of_a_large_body(house: House) -> str:
    """Post 20 MB and return the status; curl waits for an answer before it sends that much."""
    body = house.folder / "large"
    body.write_bytes(bytes(20 * 1024 * 1024))
    command = [
        "curl",
        "--http1.1",
        "--silent",
        "--cacert",
        str(house.certificate),
        "--output",
        os.devnull,
    ]
    command += ["--write-out", "%{http_code}", "--data-binary", f"@{body}", f"{house.public}/mcp"]
    return (await anyio.run_process(command, check=False)).stdout.decode()


def test_nginx_is_set_as_the_doctor_advises() -> None:
    """Ours: what the connector's doctor tells people to set stands in the file that they copy."""
    code = "".join(Path(module.__file__ or "").read_text("utf-8") for module in (walk, doctor))
    advised = re.findall(r"\(nginx: ([^)]+)\)", code)
    assert len(advised) == 3
    site = (CHECKOUT / "deploy/nginx/claude-runner.conf").read_text("utf-8")
    assert [line for line in advised if f" {line};" not in site] == []


async def until_it_answers(http: httpx2.AsyncClient, house: House) -> None:
    """Wait until the proxy listens."""
    with anyio.fail_after(START_S):
        while True:
            try:
                answer = await http.get(f"{house.public}/readyz")
            except httpx2.ConnectError:
                await anyio.sleep(0.05)
                continue
            assert answer.status_code == 200, answer.text
            return


def way(house: House, path: str, auth: ScriptedOAuth) -> StreamableHttpTransport:
    """Return a client's way to an endpoint."""
    context = ssl.create_default_context(cafile=house.certificate)
    return StreamableHttpTransport(f"{house.public}{path}", auth=auth, verify=context)


async def sign_in_and_walk(
    http: httpx2.AsyncClient, house: House, steps: int, silence_s: int
) -> None:
    """Sign in as a client of claude.ai's kind does, and follow a stream with a silence a step."""
    browser = Browser(house.public, http)
    page = await browser.open(f"{house.public}/login")
    assert (await browser.log_in_by_password(page.text, USER, PASSWORD)).status_code == 303
    auth = ScriptedOAuth(browser)
    async with Client(way(house, "/mcp", auth)) as client:
        assert await client.list_tools()
    auth = ScriptedOAuth(browser)
    seen: list[float] = []
    async with Client(way(house, "/servers/walker/mcp", auth)) as client:

        async def go_on(progress: float, total: float | None, message: str | None) -> None:
            seen.append(progress)
            assert (total, message) == (steps, None)
            await anyio.sleep(silence_s)
            await client.call_tool("go")

        walked = await client.call_tool("walk", {"steps": steps}, progress_handler=go_on)
    assert walked.data == steps
    assert seen == [float(step + 1) for step in range(steps)]


async def look_at_what_arrives(http: httpx2.AsyncClient, house: House) -> None:
    """What a caller claims about itself is not passed on: a rebound name stays refused."""
    claims = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example;for=8.8.8.8"}
    answer = await http.get(
        f"{house.public}/.well-known/oauth-authorization-server", headers=claims
    )
    assert answer.json()["issuer"] == house.public


async def have_it_examined(http: httpx2.AsyncClient, house: House) -> None:
    """Let the connector's doctor walk claude.ai's way through the proxy."""
    token = house.gateway.guard.make_local_token()
    answer = await http.post(
        f"{house.upstream}/local/connector", headers={"Authorization": f"Bearer {token}"}
    )
    report = answer.json()
    wrong = [(s["step"], s["wrong"]) for s in report["steps"] if s["grade"] == "problem"]
    assert (wrong, report["good"]) == ([], True)
