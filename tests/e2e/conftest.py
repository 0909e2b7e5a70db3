"""A real gateway process with servers, driven from outside."""

import json
from collections.abc import Mapping
from pathlib import Path

import httpx2
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from gateway.local import LiveGateway
from tests.cli.gateways import Place
from tests.waiting import wait_until

READY_S = 100.0
"""A gateway with several servers is ready in two seconds on an idle machine."""


def client(live: LiveGateway, path: str, mode: str) -> Client[StreamableHttpTransport]:
    """Return a real client of one endpoint, in one era."""
    transport = StreamableHttpTransport(f"{live.url}{path}", auth=live.token)
    return Client(transport, mode=mode, timeout=READY_S)


def add_fixed(place: Place, name: str, metadata: Mapping[str, object]) -> Path:
    """Write a fixed server that is only a command, and return its folder."""
    folder = place.folder / "fixed" / name
    folder.mkdir()
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    return folder


def wait_ready(live: LiveGateway) -> None:
    """Return once the gateway says that its servers can be called."""
    with httpx2.Client(base_url=live.url, timeout=READY_S, trust_env=False) as http:
        wait_until(lambda: http.get("/readyz").status_code == 200, READY_S)
