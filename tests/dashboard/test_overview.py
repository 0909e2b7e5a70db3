"""What the overview costs: rows are written when they change, whoever looks and however often."""

import html
import json
import re
from dataclasses import replace

from gateway.dashboard.live import HEALTH_S, TICK_S
from gateway.dashboard.overview import METRICS_S
from gateway.dashboard.server_filter import PAGE_ROWS
from gateway.dashboard.ticks import tick_rows
from supervisor.events import ServerState, StateChanged
from supervisor.snapshot import ServerSnapshot
from tests.dashboard.parts import SNAPSHOT, Shown, sign_in
from tests.store.examples import job

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
    assert (text.count('<tr id="server-'), overview.rows_written) == (PAGE_ROWS, PAGE_ROWS)
    await client.get("/")
    assert overview.rows_written == PAGE_ROWS

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
    assert (overview.rows_read, overview.rows_written) == (read + 1, PAGE_ROWS + 1)
    shown.clock.now_s += TICK_S
    shown.dashboard.hear(event)
    assert len(json.loads(await anext(tab) or "")) == PAGE_ROWS - 1
    assert (overview.rows_read, overview.rows_written) == (read + 1 + PAGE_ROWS, 2 * PAGE_ROWS)
    await tab.aclose()


async def test_the_next_tick_is_told_by_the_clocks_of_its_job() -> None:
    """Issue 8, 1: with its zone, and with the day unless that is today there."""
    now = 1_795_390_200_000  # 2026-11-22T23:30:00Z
    rows = [
        (row.day, row.time, row.zone)
        for row in tick_rows(
            (
                job(next_fire_at=now + 60_000, timezone="Europe/Berlin"),
                job(next_fire_at=now + 3_600_000, timezone="UTC"),
                job(next_fire_at=None),
            ),
            now,
        )
    ]
    assert rows == [("", "00:31", "Europe/Berlin"), ("2026-11-23", "00:30", "UTC")]
    shown = Shown(jobs=[job(name="brief", next_fire_at=now, timezone="Asia/Tokyo")])
    text = await (await (await sign_in(shown)).get("/")).get_data(as_text=True)
    assert ">08:30</time><small>2026-11-23, Asia/Tokyo: brief</small>" in text
    assert ">2026-11-23 08:30</time> Asia/Tokyo " in text


def names_in(text: str) -> list[str]:
    """Return the servers whose rows are in a text."""
    return re.findall(r'<tr id="server-([\w-]+)"', text)


async def test_a_page_and_its_stream_show_the_same_servers() -> None:
    """Issue 8, 1: by state and name, a page at a time; who comes and goes is seen by the stream."""
    shown = Shown(snapshots=servers())
    client = await sign_in(shown)
    text = await (await client.get("/?name=SERVER-&page=5")).get_data(as_text=True)
    followed = html.unescape(re.findall(r'data-live="(servers[^"]*)"', text)[0])
    assert names_in(text) == [f"server-{number}" for number in range(400, 500)]
    assert "401 to 500 of 500" in text
    assert 'href="/?name=server-&amp;page=4"' in text
    assert "More servers" not in text
    tab = shown.live.updates([followed])
    assert names_in(json.loads(await anext(tab) or "")[0]["html"]) == names_in(text)
    await tab.aclose()

    tab = shown.live.updates(["servers:state=trouble", "servers:state=trouble&name=nobody"])
    first = json.loads(await anext(tab) or "")
    assert [names_in(each["html"]) for each in first] == [[], []]
    assert all("No server is like this." in each["html"] for each in first)
    one_tool = ({"name": "send"},)
    died = replace(SNAPSHOT, name="server-007", state=ServerState.QUARANTINED, tools=one_tool)
    shown.snapshots = tuple(died if each.name == died.name else each for each in servers())
    shown.clock.now_s += HEALTH_S
    shown.dashboard.hear(StateChanged(died.name, ServerState.READY, died.state, "it died"))
    (patch,) = json.loads(await anext(tab) or "")
    assert (patch["live"], names_in(patch["html"])) == ("servers:state=trouble", ["server-007"])
    assert "dynamic, 1 tool<" in patch["html"]
    await tab.aclose()
    long = "/?name=" + "%E2%82%AC" * 40
    for odd in ("/?state=none&page=x", "/?page=0", "/?page=99999999", long):
        text = await (await client.get(odd)).get_data(as_text=True)
        assert names_in(text)[0] == "server-000"


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
