"""The same attacks as a server of a real gateway, and its daemons after the gateway's kill -9."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from gateway.local import LiveGateway
from sandboxes import interpreter
from sandboxes.policy import Level
from tests.attacks.conftest import ATTACKER, ATTACKS, SECRET, hint, listeners
from tests.cli.gateways import Place, make_place
from tests.demonstrations import Demonstrations
from tests.e2e.conftest import wait_ready
from tests.relay.conftest import ACCEPT, modern
from tests.sandboxes.conftest import open_to_all, skip_unless_available
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(180)

GUARD_S = 30.0
GONE_GUARD_S = PATIENCE_S
STARTS = {"attacker": "warm", "cold-attacker": "cold", "neighbour": "warm"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home with an attacker and a neighbour."""
    skip_unless_available(Level.STRONG)
    open_to_all(tmp_path)
    place = make_place(tmp_path)
    for name in STARTS:
        shutil.copytree(
            ATTACKER,
            tmp_path / "fixed" / name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    # Read by libraries when they are imported, so this server needs an interpreter of its own.
    metadata = json.dumps({"environment": {"FASTMCP_LOG_LEVEL": "ERROR"}})
    (tmp_path / "fixed" / "cold-attacker" / "metadata.json").write_text(metadata, "utf-8")
    return place


def ask(http: httpx2.Client, server: str, tool: str, arguments: object) -> Any:
    """Call a tool through the gateway."""
    body, headers = modern("tools/call", {"name": tool, "arguments": arguments})
    answer = http.post(f"/servers/{server}/mcp", json=body, headers={**ACCEPT, **headers}).json()
    return json.loads(answer["result"]["content"][0]["text"])


def fixed_servers(place: Place) -> dict[str, dict[str, Any]]:
    """Return what the gateway says of its servers, by name."""
    listed = place.json("call", "list_fixed_mcp_servers", "{}")["servers"]
    return {server["name"]: server for server in listed}


def come_as_meant(place: Place) -> dict[str, dict[str, Any]]:
    """Return the servers; who came cold because the warm process was late is started again."""
    for name, server in fixed_servers(place).items():
        if server["start"] != STARTS[name]:
            place.json("call", "restart_mcp_server", json.dumps({"name": name}))
    return fixed_servers(place)


def aim(place: Place, live: LiveGateway) -> dict[str, object]:
    """Return where everything worth having is."""
    servers = come_as_meant(place)
    assert {name: server["start"] for name, server in servers.items()} == STARTS
    data = place.home / "servers" / "neighbour" / "data"
    env_file = place.folder / ".env"
    kept = (data / "kept", data.parent / "private" / "kept", env_file)
    for path in kept:
        path.write_text(SECRET, encoding="utf-8")
        path.chmod(0o666)
    return {
        "database": str(place.home / "jobs.db"),
        "master_key": str(next(place.folder.rglob("*.key"))),
        "gateway_json": str(place.home / "gateway.json"),
        "env_file": str(env_file),
        "home": str(place.home),
        "neighbour_data": str(kept[0]),
        "neighbour_private": str(kept[1]),
        "neighbour_code": str(place.folder / "fixed" / "neighbour" / "server.py"),
        "neighbour_pid": servers["neighbour"]["pid"],
        "gateway_pid": live.pid,
        "sandboxes": str(interpreter.SANDBOXES),
        "hint": hint(live.token),
        "port": int(live.url.rpartition(":")[2]),
    }


def test_no_attack_escapes_and_no_daemon_survives(
    place: Place, demonstrations: Demonstrations
) -> None:
    """Issue 3: zero escapes at the default level; nothing is left 2 s after a kill -9."""
    with (
        place.cold_gateway() as live,
        listeners(place.folder) as open_ports,
        httpx2.Client(
            base_url=live.url,
            headers={"Authorization": f"Bearer {live.token}"},
            trust_env=False,
            timeout=GUARD_S,
        ) as http,
    ):
        wait_ready(live)
        targets = {**open_ports, **aim(place, live)}
        for attacker in ("attacker", "cold-attacker"):
            outcomes = {name: ask(http, attacker, name, targets) for name in ATTACKS}
            assert {name: what for name, what in outcomes.items() if what[0] == "escaped"} == {}
        assert ask(http, "neighbour", "healthy", {}) == "well"
        assert ask(http, "attacker", "daemonise", {"count": 3}) == 3
        # Forks of the warm process show its command line, so everything of the gateway counts.
        processes = psutil.Process(live.pid).children(recursive=True)
        assert len(processes) > 3
        begun = time.monotonic()
        psutil.Process(live.pid).kill()
        _, alive = psutil.wait_procs(processes, timeout=GONE_GUARD_S)
        took = time.monotonic() - begun
        assert alive == []
    demonstrations.record("Daemons after kill -9 of the gateway", 3, f"gone after {took:.2f} s")
