"""The owner's page of the audit log, and its export."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.audit.pages import PAGE, AuditPages
from gateway.audit.reading import AuditLog
from gateway.audit.trail import Keeping, Trail
from gateway.dashboard.live import Live
from gateway.domain.audit import Actor, AuditEntry, Outcome
from supervisor.redaction import Redactor
from tests.dashboard.parts import Shown, sign_in
from tests.databases import open_store

NOW = 1_790_000_000_000
ENTRIES = PAGE + 50


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Shown]:
    """The page over a log of one page and a half."""
    async with open_store(tmp_path / "jobs.db") as store:
        trail = Trail(store.audit, Redactor(), Keeping(1000, 1), lambda: NOW)
        facts = {"at": NOW, "actor": Actor.RUN, "action": "tools/call", "outcome": Outcome.OK}
        one = AuditEntry(**facts, server="<x>")  # pyright: ignore[reportArgumentType] - as they are
        for _ in range(ENTRIES):
            trail.note(lambda: one)
        log = AuditLog(store.audit, trail, lambda: NOW)
        live = Live(time.monotonic)
        yield Shown(
            followed=live, further=lambda browser: (AuditPages(log, browser, live).blueprint(),)
        )


async def test_the_page_shows_the_newest_and_leads_to_the_older(shown: Shown) -> None:
    """Issue 6, point 9: paged; what others named is text."""
    client = await sign_in(shown)
    first = await (await client.get("/audit?who=run")).get_data(as_text=True)
    assert first.count("<tr><td>") == PAGE and "&lt;x&gt;" in first and "<x>" not in first
    assert f'href="/audit?before={ENTRIES - PAGE + 1}&amp;' in first
    second = await (await client.get(f"/audit?before={ENTRIES - PAGE + 1}")).get_data(as_text=True)
    assert second.count("<tr><td>") == ENTRIES - PAGE and "Older" not in second


async def test_the_export_has_every_entry_a_line(shown: Shown) -> None:
    """Issue 6, point 9: exportable."""
    client = await sign_in(shown)
    lines = await (await client.get("/audit.jsonl?who=run")).get_data(as_text=True)
    assert [json.loads(line)["number"] for line in lines.splitlines()] == [*range(1, ENTRIES + 1)]


async def test_only_the_owner_sees_it_and_a_wrong_filter_is_said(shown: Shown) -> None:
    """Ours."""
    client = await sign_in(shown)
    assert (await client.get("/audit?since=yesterday")).status_code == 400
    stranger = shown.app.test_client()
    for path in ("/audit", "/audit.jsonl"):
        assert (await stranger.get(path)).status_code == 401
