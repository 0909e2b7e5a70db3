"""Where secrets go: typed by the owner in a browser, used by one child, found in no file."""

import base64
import json
import os
import signal
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio import to_thread
from playwright.async_api import Browser, BrowserContext, expect

from gateway.cli.call import value_of
from gateway.cli.client import call_tool
from gateway.local import LiveGateway
from gateway.standin import StandIn
from tests.browsers import browser, complaints_of
from tests.cli.gateways import Place, make_place

pytestmark = pytest.mark.timeout(300)

CODE = """
import os, sys
from fastmcp import FastMCP
mcp = FastMCP("mailer")
print("starting with", os.environ.get("SMTP_PASSWORD"), file=sys.stderr, flush=True)
@mcp.tool
def tail() -> str:
    return os.environ["SMTP_PASSWORD"][-4:]
@mcp.tool
def crash() -> str:
    print("dying with", os.environ["SMTP_PASSWORD"], file=sys.stderr, flush=True)
    os.abort()
mcp.run()
"""
TYPED = "canary-typed-by-the-owner-5ijH2fKq"
TYPED_LINES = "canary-of-two\nlines-Zk29sLqW"
SET = {
    "ANTHROPIC_API_KEY": "sk-ant-canary-api-key-Wm41ZqTxPe",
    "OAUTH_CLIENT_ID": "claude-client",
    "OAUTH_CLIENT_SECRET": "canary-client-secret-7fGs01LmNb",
    "OAUTH_SECRET_KEY": "canary-secret-key-Yx83kJfQaD",
    "DASHBOARD_USERNAME": "ann",
    "DASHBOARD_PASSWORD": "canary dashboard password 9dKs",
}
PUBLIC = {"OAUTH_CLIENT_ID", "DASHBOARD_USERNAME"}
LOOK_EVERY_S = 0.05
LIMIT_S = 120.0


@dataclass
class Stage:
    """A gateway, and the secrets that it was told."""

    place: Place
    live: LiveGateway
    canaries: list[str] = field(default_factory=list[str])

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """Call a management tool that must succeed."""
        call = partial(call_tool, self.live, "/mcp", tool, arguments)
        return value_of(await to_thread.run_sync(call))

    async def until(self, done: Callable[[Any], object], tool: str, /, **arguments: Any) -> Any:
        """Return the answer of a tool once it is as wanted; each look is a call."""
        with anyio.fail_after(LIMIT_S):
            while not done(answer := await self.call(tool, **arguments)):
                pass
        return answer

    async def command(self, *arguments: str) -> str:
        """Run a command that must succeed; return what it prints."""
        done = await to_thread.run_sync(partial(self.place.run, *arguments))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def watched_command_lines(canaries: list[str]) -> Iterator[list[str]]:
    """Look at the command line of every process meanwhile; yield those that held a canary."""
    found: list[str] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_EVERY_S):
            lines = b"\n".join(_command_lines())
            found.extend(each for each in canaries if each.encode() in lines)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def _command_lines() -> Generator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A gateway that holds new code back, with a server that wants a credential."""
    place = make_place(tmp_path_factory.mktemp("secrets"))
    canaries = [value for name, value in SET.items() if name not in PUBLIC]
    async with StandIn() as model:
        settings = {**SET, "ANTHROPIC_BASE_URL": model.url, "CODE_CHANGES": "approve"}
        opened = place.cold_gateway(SANDBOX="off", **settings)
        live = await to_thread.run_sync(opened.__enter__)
        try:
            stage = Stage(place, live, canaries)
            await stage.call("create_mcp_server", name="mailer", code=CODE)
            yield stage
        finally:
            await to_thread.run_sync(opened.__exit__, None, None, None)


async def log_in(stage: Stage, context: BrowserContext) -> None:
    """Log a browser in by a one-time link."""
    page = await context.new_page()
    await page.goto(await stage.command("dashboard", "link"))
    await page.get_by_role("button", name="Open the dashboard").click()
    await page.wait_for_url(f"{stage.live.url}/")
    await page.close()


async def test_the_owner_types_a_credential_that_no_chat_sees(
    stage: Stage, chromium: Browser
) -> None:
    """Issue 6, 7: one link, one use, the owner's session, and what the server may reach."""
    wanted = {"server": "mailer", "key": "SMTP_PASSWORD"}
    first = await stage.call("request_credential", **wanted)
    asked = await stage.call("request_credential", **wanted)
    assert asked["link"].startswith(f"{stage.live.url}/credential/")
    async with httpx2.AsyncClient() as stranger:
        assert (await stranger.get(asked["link"])).status_code == 401
        assert (await stranger.post(asked["link"], data={"value": "x"})).status_code >= 400
    async with browser(chromium) as context:
        await log_in(stage, context)
        page = await context.new_page()
        answer = await page.goto(first["link"])
        assert answer is not None
        assert answer.status == 404
        complaints = complaints_of(page)
        await page.goto(asked["link"])
        await expect(page.get_by_role("heading", level=1)).to_have_text(
            "Set SMTP_PASSWORD of server mailer"
        )
        await expect(page.locator("dd").nth(2)).to_have_text("no network at all")
        await page.get_by_label("Value").fill(TYPED)
        await page.get_by_role("button", name="Store").click()
        await expect(page.get_by_role("main")).to_contain_text("SMTP_PASSWORD of server mailer is")
        await expect(page.get_by_role("main")).to_contain_text("The server is ready.")
        assert TYPED not in await page.content()
        assert complaints == []
        answer = await page.goto(asked["link"])
        assert answer is not None
        assert answer.status == 404
    stage.canaries.append(TYPED)
    listed = await stage.call("get_server_credentials", server="mailer")
    (shown,) = listed["credentials"]
    assert (shown["is_set"], shown["masked"]) == (True, "••••")
    assert shown["last_used_at"] is not None
    tail = await stage.call("invoke_internal_mcp_tool", tool="mailer:tail")
    assert tail["result"] == TYPED[-4:]


@pytest.mark.full
async def test_a_form_for_another_server_than_was_shown_stores_nothing(
    stage: Stage, chromium: Browser
) -> None:
    """Ours: the owner says yes to what is on the page; lines of a key stay lines."""
    asked = await stage.call("request_credential", server="mailer", key="SIGNING_KEY")
    async with browser(chromium) as context:
        await log_in(stage, context)
        page = await context.new_page()
        await page.goto(asked["link"])
        await expect(page.locator("dd").nth(1)).to_contain_text("does not declare it")
        folder = stage.place.folder / "dynamic" / "mailer"
        metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
        granted = {**metadata, "network": {"hosts": ["mail.example.org"]}}
        (folder / "metadata.json").write_text(json.dumps(granted), "utf-8")
        await stage.until(
            lambda answer: answer["server"]["network"] != "none",
            "get_dynamic_mcp_server",
            name="mailer",
        )
        await page.get_by_label("Value").fill(TYPED_LINES)
        await page.get_by_role("button", name="Store").click()
        await expect(page.get_by_role("alert").last).to_contain_text("another one than a moment")
        await expect(page.locator("dd").nth(2)).to_have_text("mail.example.org")
        listed = await stage.call("get_server_credentials", server="mailer")
        assert [each["key"] for each in listed["credentials"]] == ["SMTP_PASSWORD"]
        await page.get_by_label("Value").fill(TYPED_LINES)
        await page.get_by_role("button", name="Store").click()
        await expect(page.get_by_role("main")).to_contain_text("is stored")
    stage.canaries.append(TYPED_LINES)


@pytest.mark.full
async def test_new_code_is_approved_in_the_browser(stage: Stage, chromium: Browser) -> None:
    """Security E 14: the difference is shown, and the code runs once the owner says so."""
    new = CODE.replace("[-4:]", "[-5:]")
    held = await stage.call("update_mcp_server", name="mailer", code=new)
    assert not held["ok"]
    listed = await stage.command("changes", "list")
    assert listed.splitlines()[1].startswith(f"mailer  {held['version']}")
    shown = await stage.command("changes", "show", "mailer", str(held["version"]))
    assert '+    return os.environ["SMTP_PASSWORD"][-5:]' in shown.splitlines()
    async with browser(chromium) as context:
        await log_in(stage, context)
        page = await context.new_page()
        complaints = complaints_of(page)
        await page.goto(f"{stage.live.url}/changes")
        await expect(page.locator("pre")).to_contain_text('-    return os.environ["SMTP_PASS')
        await page.get_by_role("button", name="Approve").click()
        await expect(page.get_by_role("main")).to_contain_text("is approved; it is ready")
        await page.goto(f"{stage.live.url}/changes")
        await expect(page.get_by_role("main")).to_contain_text("No new code waits")
        assert complaints == []
    tail = await stage.call("invoke_internal_mcp_tool", tool="mailer:tail")
    assert tail["result"] == TYPED[-5:]


async def test_no_file_and_no_command_line_holds_a_secret(stage: Stage) -> None:
    """Issue 6, Shows: after calls, a run, a crash, a webhook, rotations and a copied database."""
    token = await stage.command("token", "create", "--name", "script", "--scope", "read")
    hook = await stage.call(
        "create_webhook", name="deploys", prompt_template="Say hello.", network="public"
    )
    address = hook["webhook"]["url"]
    stage.canaries += [token, address.rsplit("/", 1)[1]]
    master = stage.place.folder / "home.key"
    stage.canaries.append(master.read_text("ascii").strip())
    with watched_command_lines(stage.canaries) as seen:
        await stage.command("key", "rotate")
        await stage.command("key", "rotate", "--master")
        stage.canaries.append(master.read_text("ascii").strip())
        async with httpx2.AsyncClient() as sender:
            sent = await sender.post(address, json={"commit": "abc"})
            assert sent.status_code == 202, sent.text
        run = sent.json()["run_id"]
        ended = await stage.until(
            lambda answer: answer["run"]["finished_at"], "get_run", run_id=run
        )
        assert ended["run"]["status"] == "succeeded", ended["run"]["error"]
        died = await to_thread.run_sync(
            partial(stage.place.run, "call", "invoke_internal_mcp_tool", '{"tool": "mailer:crash"}')
        )
        assert died.returncode == 1
        assert TYPED not in died.stderr
        _back_up(stage.place)
        await to_thread.run_sync(_kill_hard, stage)
    assert seen == []
    assert _found(stage) == []
    assert _found_in_tables(stage) == []


def _back_up(place: Place) -> None:
    with closing(sqlite3.connect(place.home / "jobs.db")) as database:
        database.execute("VACUUM INTO ?", (str(place.folder / "copy.db"),))


def _kill_hard(stage: Stage) -> None:
    """End the gateway so that it cleans nothing up, and its log stays beside the database."""
    os.kill(stage.live.pid, signal.SIGKILL)


def _found(stage: Stage) -> list[tuple[str, str]]:
    """Return each file with the canary that it holds, plainly or in base64."""
    spelt = [
        (each, form)
        for each in stage.canaries
        for form in (each.encode(), base64.b64encode(each.encode()))
    ]
    files = [
        path
        for path in stage.place.folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.suffix != ".key"
    ]
    assert {"jobs.db", "jobs.db-wal", "copy.db", "gateway.log", "stderr.log", "crashes.json"} <= {
        path.name for path in files
    }
    found: list[tuple[str, str]] = []
    for path in files:
        content = path.read_bytes()
        found += [(str(path), each) for each, form in spelt if form in content]
    return found


FILLED = {"runs", "run_messages", "audit", "credentials", "webhook_deliveries", "tokens"}


def _found_in_tables(stage: Stage) -> list[tuple[str, str]]:
    """Return each table of the copy with the canary that a value in it holds.

    In the file a long value is in pieces, one on each page.
    """
    found: list[tuple[str, str]] = []
    with closing(sqlite3.connect(stage.place.folder / "copy.db")) as database:
        names = [
            n for (n,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        filled: set[str] = set()
        for name in names:
            rows = database.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 - of the schema
            if rows:
                filled.add(name)
            text = repr(rows)
            found += [(name, each) for each in stage.canaries if each in text]
    assert filled >= FILLED
    return found
