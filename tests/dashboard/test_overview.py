"""What the overview costs: rows are written when they change, whoever looks and however often."""

import json
from dataclasses import replace

from gateway.dashboard.live import HEALTH_S, TICK_S
from gateway.dashboard.overview import METRICS_S
from supervisor.events import ServerState, StateChanged
from supervisor.snapshot import ServerSnapshot
from tests.dashboard.parts import SNAPSHOT, Shown, sign_in

SERVERS = 500


def servers() -> tuple[ServerSnapshot, ...]:
    """Return many servers."""
    return tuple(replace(SNAPSHOT, name=f"server-{number:03}") for number in range(SERVERS))


async def test_one_crash_of_five_hundred_servers_reads_and_writes_one_row() -> None:
    """Issue 8, Shows: the work of a change, of an open page, and of a page that is loaded again.

    What changes without an event, as uptimes do, is read with the next tick.
    """
    shown = Shown(snapshots=servers())
    overview = shown.dashboard.overview
    client = await sign_in(shown)
    text = await (await client.get("/")).get_data(as_text=True)
    assert (text.count('<tr id="server-'), overview.rows_written) == (SERVERS, SERVERS)
    await client.get("/")
    assert overview.rows_written == SERVERS

    tab = shown.live.updates(["servers"])
    await anext(tab)
    read = overview.rows_read
    crashed = replace(SNAPSHOT, name="server-007", state=ServerState.BACKOFF, reason="it died")
    older = tuple(replace(each, uptime_s=7200.0) for each in servers())
    shown.snapshots = tuple(crashed if each.name == crashed.name else each for each in older)
    shown.clock.now_s += HEALTH_S
    event = StateChanged(crashed.name, ServerState.READY, ServerState.BACKOFF, "it died")
    shown.dashboard.hear(event)
    (patch,) = json.loads(await anext(tab) or "")
    assert (patch["row"], "it died" in patch["html"]) == ("server-server-007", True)
    assert (overview.rows_read, overview.rows_written) == (read + 1, SERVERS + 1)
    shown.clock.now_s += TICK_S
    shown.dashboard.hear(event)
    assert len(json.loads(await anext(tab) or "")) == SERVERS - 1
    assert (overview.rows_read, overview.rows_written) == (read + 1 + SERVERS, 2 * SERVERS)
    await tab.aclose()


async def test_figures_of_a_server_are_read_no_more_often_than_they_change() -> None:
    """Ours: a hundred and twenty points of each server are not looked at with every event."""
    shown = Shown()
    client = await sign_in(shown)
    for _ in range(3):
        await client.get("/")
    assert shown.read_metrics == ["email"]
    shown.clock.now_s += METRICS_S
    await client.get("/")
    assert shown.read_metrics == ["email"] * 2
