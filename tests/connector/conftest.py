"""A gateway behind a proxy that ends TLS, as claude.ai meets one."""

import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from gateway.http_server import serve_http
from gateway.listening import listen, url_of
from gateway.main import Gateway
from gateway.variables import HttpServer
from tests.connector.proxy import Fault, Proxy, make_certificate, served
from tests.oauth.parts import Browser
from tests.reach.conftest import environment, open_gateway


@dataclass
class House:
    """A gateway, its proxy, and the address that both are known under."""

    gateway: Gateway
    local: str
    public: str
    proxy: Proxy
    http: httpx2.AsyncClient
    home: Path

    async def examine(self, fault: Fault | None = None) -> dict[str, Any]:
        """Return the doctor's report, as the command line gets it, while the proxy has a fault."""
        self.proxy.fault = fault or Fault()
        token = self.gateway.guard.make_local_token()
        answer = await self.http.post(
            f"{self.local}/local/connector", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content)

    async def log_in(self) -> None:
        """Have the owner's browser logged in by a one-time link."""
        token = self.gateway.guard.make_local_token()
        link = await self.http.post(
            f"{self.local}/local/dashboard/links", headers={"Authorization": f"Bearer {token}"}
        )
        await Browser(self.local, self.http).log_in(link.json()["path"])

    def clients(self) -> list[str]:
        """Return the names of the OAuth clients that the gateway knows."""
        with closing(sqlite3.connect(self.home / "jobs.db")) as database:
            return [name for (name,) in database.execute("SELECT name FROM oauth_clients")]

    async def problems(self, fault: Fault) -> dict[str, str]:
        """Return what is wrong, by step."""
        report = await self.examine(fault)
        assert report["good"] is False
        assert all(step["advice"] for step in report["steps"] if step["grade"] != "ok")
        return {s["step"]: s["wrong"] for s in report["steps"] if s["grade"] == "problem"}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """A gateway that trusts its proxy, whose certificate the machine trusts."""
    folder = tmp_path_factory.mktemp("connector")
    certificate = make_certificate(folder / "tls.pem")
    sock, stop = listen("127.0.0.1", 0), anyio.Event()
    local = url_of(sock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificate))
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=30) as http,
            served(proxy := Proxy(http, local), certificate) as port,
            open_gateway(_environment(folder, port), local) as gateway,
            anyio.create_task_group() as group,
        ):
            group.start_soon(serve_http, HttpServer.HYPERCORN, gateway.app, [sock], stop.wait)
            yield House(gateway, local, f"https://localhost:{port}", proxy, http, folder / "home")
            stop.set()


def _environment(folder: Path, port: int) -> dict[str, str]:
    return environment(folder) | {
        "PUBLIC_URL": f"https://localhost:{port}",
        "TRUSTED_PROXIES": "127.0.0.1",
        "DASHBOARD_USERNAME": "ann",
        "DASHBOARD_PASSWORD": "correct horse",
    }
