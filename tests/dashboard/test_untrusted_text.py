"""Other people's text on the owner's pages, in Debian's Chromium: shown as text, run by nobody.

Programs' names on the pages of consent and access are in `tests/oauth` and `tests/access`.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2
import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page
from quart import Blueprint

from gateway.approvals import Approvals
from gateway.audit.pages import AuditPages
from gateway.audit.reading import AuditLog
from gateway.audit.trail import Keeping, Trail
from gateway.code_changes import ChangePages
from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.domain.audit import Actor, AuditEntry, Outcome
from gateway.domain.clock import utc_ms
from gateway.domain.server_version import Origin, ServerVersion, VersionResult
from gateway.servers import Servers
from gateway.servers.held import WaitingChange
from supervisor.children.crash import CrashReport
from supervisor.pinning.definitions import Definition
from supervisor.pinning.pins import QuarantinedTool
from supervisor.redaction import Redactor
from tests.browsers import browser, complaints_of
from tests.dashboard.parts import RUN, SNAPSHOT, Shown
from tests.dashboard.test_approvals import WAITS, Desk
from tests.dashboard.test_in_a_browser import press_link, served
from tests.databases import open_store

pytestmark = pytest.mark.timeout(120)

BEGIN = "x'\"></textarea></pre></script>"
TAIL = "<img src=x onerror=alert(1)><script>alert(1)</script><a href=javascript:alert(1)>"
PLANTED = "img, script:not([src]), a[href^=javascript], [onerror]"


def canary(source: str) -> str:
    """Return a text that ends elements and begins others, and says where it came from."""
    return f"{BEGIN}{source}{TAIL}"


CRASH = CrashReport(
    server="email",
    generation=1,
    digest="00",
    at=0.0,
    cause=canary("crash report"),
    sandbox_breach=False,
    was_ready=True,
    uptime_s=1.0,
    calls=(),
    calls_failed=0,
    stderr_tail=(canary("stderr"),),
    code_changed_s=None,
)
HELD = QuarantinedTool("email", canary("tool name"), Definition("send", b"{}"), None, 0.0)
SERVER = replace(
    SNAPSHOT,
    name=canary("server name"),
    reason=canary("reason"),
    rejected=canary("rejected code"),
    refused_hosts=(canary("host"),),
    last_crash=CRASH,
    quarantined_tools=(HELD,),
)
RAN = replace(RUN, id=canary("run"), job_id=canary("job name"), error=canary("run output"))
TOLD = AuditEntry(
    at=1_795_330_000_000,
    actor=Actor.CLIENT,
    actor_id=canary("client"),
    action=canary("action"),
    server=canary("audited server"),
    target=canary("webhook payload"),
    arguments=canary("arguments"),
    outcome=Outcome.OK,
    correlation=canary("header"),
)
CHANGE = ServerVersion(
    server="email",
    number=2,
    origin=Origin.UPDATED,
    author=canary("author"),
    made_at=0,
    digest="00",
    result=VersionResult.WAITING,
    reason="",
    files=(),
)


@dataclass
class Code:
    """New code that waits, of the test's own making."""

    @property
    def held(self) -> "Code":
        return self

    async def all(self) -> tuple[WaitingChange, ...]:
        text = canary("code")
        return (WaitingChange(CHANGE, text, len(text), "00"),)


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncGenerator[Shown]:
    """A dashboard on which everything that others name is hostile."""
    waits = replace(WAITS, tool=canary("tool"), reason=canary("why"), listed=canary("definition"))
    async with open_store(tmp_path / "jobs.db") as store:
        trail = Trail(store.audit, Redactor(), Keeping(100, 90), utc_ms)
        trail.note(lambda: TOLD)
        log, live = AuditLog(store.audit, trail, utc_ms), Live(anyio.current_time)

        def further(browser: Browser) -> list[Blueprint]:
            code = cast("Servers", Code())
            pages: list[Any] = [AuditPages(log, browser, live), ChangePages(browser, code, live)]
            return [each.blueprint() for each in pages]

        yield Shown(
            snapshots=(SERVER,),
            ran=(RAN,),
            approvals=cast("Approvals", Desk((waits,))),
            followed=live,
            further=further,
        )


async def look(page: Page, address: str, *sources: str) -> None:
    """Open a page on which the text of these sources is text."""
    await page.goto(address)
    content = await page.locator("body").text_content()
    assert content is not None
    assert [each for each in sources if canary(each) not in content] == []
    assert await page.locator(PLANTED).count() == 0


async def test_nobodys_text_becomes_part_of_a_page(shown: Shown, chromium: Chromium) -> None:
    """Research F, checklist E: escaped everywhere, so that the policy has nothing to stop."""
    async with served(shown) as url, browser(chromium) as context:
        page = await context.new_page()
        complaints = complaints_of(page)
        await press_link(page, shown, url)
        names = ["server name", "reason", "rejected code", "host", "crash report", "stderr"]
        await look(page, url, *names, "tool name", "run", "job name", "run output")
        await look(page, f"{url}/approvals", "tool", "why", "definition")
        told = ["client", "action", "audited server", "webhook payload", "arguments", "header"]
        await look(page, f"{url}/audit", *told)
        await look(page, f"{url}/changes", "author", "code")
        hostile = {"since": "1d", "who": canary("filter")}
        await look(page, str(httpx2.URL(f"{url}/audit", params=hostile)))
        assert await page.get_by_label("Who").input_value() == canary("filter")
        await look(page, str(httpx2.URL(f"{url}/login", params={"key": canary("key")})))
        assert await page.locator("input[name=key]").input_value() == canary("key")
        assert complaints == []
        await look(page, f"{url}/{TAIL}")
        await look(page, str(httpx2.URL(f"{url}/audit", params={"since": TAIL})))
        assert [each for each in complaints if "dialog" in each or "Policy" in each] == []
