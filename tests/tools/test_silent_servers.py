"""Servers that never say a word keep nobody waiting."""

from pathlib import Path

import anyio

from gateway.servers import Servers
from supervisor.events import ServerState
from tests.tools.conftest import open_gateway, write_server
from tests.tools.servers import SEND

SILENT = "import sys\nsys.stdin.read()\n"
SILENT_SERVERS = 9
"""One more than are loaded at once."""
GUARD_S = 30.0


async def test_silent_servers_give_up_their_seats_and_go_on_starting(tmp_path: Path) -> None:
    """Ours: the gateway is ready, and so is the server behind them, long before they time out."""
    async with open_gateway(tmp_path) as gateway:
        services = gateway.services
        for number in range(SILENT_SERVERS):
            write_server(gateway.fixed, f"a-silent-{number}", SILENT, start_timeout_s=600)
        write_server(gateway.fixed, "email", SEND)
        servers = Servers(
            supervisor=services.supervisor,
            store=services.store,
            credentials=services.credentials,
            fixed_dir=gateway.fixed,
            dynamic_dir=gateway.dynamic,
            state_dir=services.settings.home / "servers",
            seat_s=0.5,
        )
        with anyio.fail_after(GUARD_S):
            await servers.disk.load_all()
            seen = await services.supervisor.wait_settled("email", GUARD_S)
        assert seen.state is ServerState.READY
        silent = [each for each in services.supervisor.snapshots() if "silent" in each.name]
        assert {each.state for each in silent} == {ServerState.STARTING}
        assert len(silent) == SILENT_SERVERS
