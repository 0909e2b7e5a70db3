"""The pages of a server in Debian's Chromium, with a real server behind them."""

import hashlib
import html
import json
import re
from typing import Any

import pytest
from markupsafe import escape
from playwright.async_api import Page, expect
from quart import typing as quart_typing

from gateway.dashboard.bodies import MAX_OWNERS_BODY_BYTES
from gateway.domain.audit import Actor, Outcome
from gateway.server_pages.policy_form import values_of
from gateway.servers import Draft
from supervisor.events import ServerState
from tests.dashboard.parts import send, sign_in
from tests.dashboard.test_untrusted_text import canary
from tests.server_pages.conftest import CODE, Stage, press

pytestmark = pytest.mark.timeout(120)

POLICY = "/server/x/policy"
PHONE_WIDTH = 360


async def type_code(page: Page, text: str) -> None:
    """Put a text into the editor in place of what is there."""
    editor = page.locator(".editor .cm-content")
    await editor.click()
    await page.keyboard.press("Control+a")
    await page.keyboard.insert_text(text)


async def test_the_owner_finds_a_server_and_switches_it(stage: Stage) -> None:
    """Issue 8: list, state, restart, disable and enable, each said on the page after it."""
    page = await stage.open("/servers")
    await expect(page.get_by_role("rowheader", name="x")).to_be_visible()
    await page.get_by_role("rowheader").get_by_role("link", name="x", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("x")
    await expect(page.get_by_text(canary("server"))).to_be_visible()
    before = stage.gateway.services.supervisor.snapshot("x").generation
    await press(page, "Restart")
    await expect(page.locator(".outcome")).to_contain_text("The server is restarted and ready.")
    assert stage.gateway.services.supervisor.snapshot("x").generation == before + 1
    await expect(page.locator("#connection")).to_have_text("Live")
    await stage.gateway.services.servers.restart("x")
    generation = page.locator("dl div", has_text="Generation").locator("dd")
    await expect(generation).to_have_text(str(before + 2))
    await press(page, "Disable")
    await expect(page.locator(".outcome")).to_contain_text("The server is disabled.")
    await press(page, "Enable")
    await expect(page.locator(".outcome")).to_contain_text("The server is enabled and ready.")
    assert stage.complaints == []


async def test_a_tool_is_tried_by_a_form_made_from_its_schema(stage: Stage) -> None:
    """Issue 8: what does not fit is said at its field and not sent; a try is one call, audited."""
    page = await stage.open("/server/x/tools")
    await expect(page.get_by_text(canary("description"))).to_be_visible()
    await page.get_by_role("link", name="send", exact=True).click()
    await page.get_by_label("to", exact=True).fill("Ann")
    await page.get_by_label("copies (may be left empty)").fill("0")
    await page.get_by_label("tags (may be left empty)").fill('["a"')
    await press(page, "Call it")
    tags = page.get_by_label("tags (may be left empty)")
    await expect(tags).to_have_attribute("aria-invalid", "true")
    await expect(tags).to_have_value('["a"')
    await tags.fill('["a"]')
    await press(page, "Call it")
    await expect(page.get_by_text("copies must be at least 1, got an integer.")).to_be_visible()
    await page.get_by_label("copies (may be left empty)").fill("2")
    await page.get_by_label("urgent (may be left empty)").select_option("true")
    await page.get_by_label("mood (may be left empty)").select_option(label="sad")
    await press(page, "Call it")
    given = '{"to": "Ann", "copies": 2, "urgent": true, "mood": "sad", "tags": ["a"]}'
    await expect(page.get_by_text(f"call 1: {given}")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text(f"call 1: {given}")).to_be_visible()
    content = await page.locator("main").text_content()
    assert content is not None and canary("result") in content
    assert canary("schema") in content
    assert await page.locator("img").count() == 1
    await expect(page.get_by_text("Images of this type are not shown.")).to_be_visible()
    entry = (await stage.entries())[0]
    assert (entry.actor, entry.actor_id, entry.server, entry.tool, entry.outcome) == (
        Actor.OWNER,
        "abcd1234",
        "x",
        "send",
        Outcome.OK,
    )
    assert entry.arguments.startswith("{to: string of 3, copies: integer")
    await stage.open("/server/x/tool?tool=free")
    await page.get_by_label("Arguments as JSON").fill('{"a": 1}')
    await press(page, "Call it")
    await expect(page.get_by_text("a must be of type string, not an integer.")).to_be_visible()
    errors = [each for each in stage.complaints if "status of 400" not in each]
    assert errors == []


async def test_a_log_is_followed_as_text_and_searched(stage: Stage) -> None:
    """Issue 8: new lines come by themselves; nothing in them becomes part of the page."""
    page = await stage.open("/server/x/logs")
    await expect(page.locator("#connection")).to_have_text("Live")
    before = await page.locator("#log > span").count()
    await stage.gateway.services.supervisor.request(
        "x", "tools/call", {"name": "free", "arguments": {}}
    )
    await expect(page.locator("#log > span")).to_have_count(before + 1)
    await expect(page.locator("#log > span").last).to_contain_text(canary("log"))
    await stage.open("/server/x/logs?contains=onerror")
    assert await page.locator("#log > span").count() == before + 1
    await page.set_viewport_size({"width": PHONE_WIDTH, "height": 720})
    for part in ("", "/logs", "/tools", "/tool?tool=send", "/versions", "/credentials", "/remove"):
        path = f"/server/x{part}"
        await stage.open(path)
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE_WIDTH, path


async def test_a_version_is_compared_and_brought_back(stage: Stage) -> None:
    """Issue 8: versions with difference and roll-back; code on the page is text."""
    servers = stage.gateway.services.servers
    changed = f"CHANGED = {canary('code')!r}\n{CODE}"
    report = await servers.update("x", Draft(code=changed), author=canary("author"))
    assert report.failure is None and report.version is not None
    page = await stage.open("/server/x/versions")
    await expect(page.get_by_text(canary("author"))).to_be_visible()
    await page.get_by_role("link", name=f"What version {report.version} changed").click()
    added = page.locator(".difference .good", has_text="CHANGED = ")
    assert await added.inner_text() == f"+CHANGED = {canary('code')!r}"
    await stage.open("/server/x/versions")
    await page.get_by_label(f"Go back to version {report.version - 1}").first.click()
    await press(page, f"Go back to version {report.version - 1}")
    await expect(page.locator(".outcome")).to_contain_text(
        f"back at version {report.version - 1}, kept as version {report.version + 1}, and ready"
    )
    assert await servers.code("x") == CODE


async def test_code_is_edited_and_loaded_or_refused_with_its_line(stage: Stage) -> None:
    """Issue 8: save says which tools came, or why the old code goes on; nothing typed is lost."""
    servers, page = stage.gateway.services.servers, stage.page
    await page.set_viewport_size({"width": 1200, "height": 800})
    await stage.open("/server/x/code")
    editor = page.locator(".editor .cm-content")
    await expect(editor).to_contain_text("TOOLS = json.loads")
    await type_code(page, CODE.replace('"name": "free"', '"name": "open"'))
    await press(page, "Save and load")
    outcome = page.locator(".outcome")
    await expect(outcome).to_contain_text("Saved as version")
    await expect(outcome.locator("dl")).to_have_text(["Tools addedopenTools removedfree"])

    await type_code(page, CODE.replace('"name": "send"', '"name": "tried"'))
    await press(page, "Try without saving")
    await expect(outcome).to_contain_text("It starts. Nothing was saved.")
    await expect(outcome.locator("dl")).to_have_text(["Toolstried, free"])
    await expect(editor).to_contain_text("tried")

    await type_code(page, "raise SystemExit('" + canary("typed") + "'")
    await press(page, "Save and load")
    await expect(outcome).to_contain_text("line 1")
    await expect(editor).to_contain_text("raise SystemExit(")
    await type_code(page, "import nothing_like_this\n")
    await press(page, "Save and load")
    await expect(outcome).to_contain_text("No module named 'nothing_like_this'")
    await expect(page.locator(".editor .cm-lint-marker-error")).to_be_visible()
    assert stage.gateway.services.supervisor.snapshot("x").state is ServerState.READY

    await page.goto(f"{stage.url}/server/x/code")
    (stage.gateway.dynamic / "x" / "server.py").write_text(CODE, encoding="utf-8")
    await type_code(page, f"{CODE}# mine\n")
    await press(page, "Save and load")
    await expect(outcome).to_contain_text("was changed meanwhile; nothing was saved.")
    await expect(page.locator(".difference .good", has_text="# mine")).to_be_visible()
    await press(page, "Save and load")
    await expect(outcome).to_contain_text("Saved as version")
    assert await servers.code("x") == f"{CODE}# mine\n"
    assert [each for each in stage.complaints if "status of 40" not in each] == []


async def test_pages_read_and_act_without_scripts(stage: Stage) -> None:
    """Issue 8: a plain text area is the editor then; what is too large changes nothing."""
    client, page = await sign_in(stage.shown), "/server/x/code"
    code = await stage.gateway.services.servers.code("x")
    assert code is not None
    shown = await (await client.get(page)).get_data(as_text=True)
    assert f">\n{escape(code)}</textarea>" in shown
    for path in ("/server/x", "/server/x/logs"):
        assert '<noscript><meta http-equiv="refresh"' in await (await client.get(path)).get_data(
            as_text=True
        )
    was = hashlib.sha256(code.encode()).hexdigest()
    form = {"file": "server.py", "was": was, "text": f"{code}# plain\n".replace("\n", "\r\n")}
    assert (await send(client, page, form, page=page)).status_code == 303
    assert await stage.gateway.services.servers.code("x") == f"{code}# plain\n"
    long = {"file": "long.txt", "was": "", "text": "a" * 1_000_001}
    assert (await send(client, page, long, page=page)).status_code == 409
    too_long = {**long, "text": "a" * MAX_OWNERS_BODY_BYTES}
    assert (await send(client, page, too_long, page=page)).status_code == 413
    stranger = stage.shown.app.test_client()
    assert (await stranger.post(page, form=long)).status_code == 413


async def test_a_trial_says_what_it_needs_and_gets_it_on_request(stage: Stage) -> None:
    """Ours: what was not started is not said to fail; the owner may give it the credentials."""
    client, page = await sign_in(stage.shown), "/server/x/code"
    form = {"was": "", "text": f'import os\nKEY = os.environ["API_KEY"]\n{CODE}'}

    async def outcome(ticked: dict[str, str]) -> str:
        tried = await send(client, f"{page}/try", {**form, **ticked}, page=page)
        return await tried.get_data(as_text=True)

    without = await outcome({})
    assert (
        "It was not tried: it needs API_KEY, which a trial gets only if you tick that." in without
    )
    ticked = {"with_credentials": "on"}
    assert "It was not tried: it needs API_KEY, which is not set." in await outcome(ticked)
    credentials = stage.gateway.services.credentials
    await credentials.set("x", "API_KEY", "hidden-value-0")
    try:
        text = await outcome(ticked)
    finally:
        await credentials.delete("x", "API_KEY")
    assert "It starts. Nothing was saved." in text
    assert 'name="with_credentials" value="on" checked' in text


async def test_a_credential_is_written_and_never_read(stage: Stage) -> None:
    """Issue 8: write-only; a key that no server may have is refused at its field."""
    page = await stage.open("/server/x/credentials")
    for key, value in (("PATH", "hidden-value-1"), ("API_KEY", "hidden-value-2")):
        await page.get_by_label("Key", exact=True).fill(key)
        await page.get_by_label("Value", exact=True).fill(value)
        await press(page, "Store")
        assert value not in await page.content()
    await expect(page.locator(".outcome")).to_contain_text("API_KEY is stored.")
    services = stage.gateway.services
    assert await services.credentials.keys("x") == {"API_KEY"}
    await page.get_by_label("Delete API_KEY").first.click()
    await press(page, "Delete API_KEY")
    assert await services.credentials.keys("x") == frozenset()


async def test_a_server_is_made_from_code_to_begin_with(stage: Stage) -> None:
    """Ours: it runs at once, and its page is the editor; a name that cannot be is said."""
    page = await stage.open("/servers/new")
    await page.get_by_label("Name").fill("No Name")
    await page.get_by_label("It begins with").select_option("notes")
    await press(page, "Create and start")
    await expect(page.get_by_role("alert")).to_contain_text("'No Name'")
    await page.get_by_label("Name").fill("fresh")
    await press(page, "Create and start")
    await expect(page.locator(".outcome")).to_contain_text("Created, and ready.")
    await expect(page.locator(".editor .cm-content")).to_contain_text("def add_note")
    services = stage.gateway.services
    call = {"name": "add_note", "arguments": {"text": "one"}}
    answer = await services.supervisor.request("fresh", "tools/call", call)
    assert answer["structuredContent"] == {"result": 1}
    await services.servers.delete("fresh")


async def fields(owner: quart_typing.TestClientProtocol) -> dict[str, str]:
    """Return what the form holds, without its token."""
    page = await (await owner.get(POLICY)).get_data(as_text=True)
    (was,) = re.findall(r'name="was" value="(\w+)"', page)
    return {"was": was, **values_of({})}


async def test_the_policy_is_changed_by_its_form_and_the_server_loaded(stage: Stage) -> None:
    """Issue 8: as by `update_mcp_server`; what is refused changes nothing."""
    owner, servers = await sign_in(stage.shown), stage.gateway.services.servers
    before = servers.spec("x")
    asked = {**await fields(owner), "memory_mb": "300", "hosts": "a.example", "description": "S"}
    saved: Any = await send(owner, POLICY, asked, page=POLICY)
    assert saved.status_code == 303
    page = html.unescape(await (await owner.get(saved.headers["Location"])).get_data(as_text=True))
    assert "Saved as version" in page and 'value="300"' in page
    spec = servers.spec("x")
    assert (spec.limits.memory_bytes, spec.network.hosts) == (300 * 2**20, ("a.example",))
    written = json.loads((stage.gateway.dynamic / "x" / "metadata.json").read_text("utf-8"))
    assert (written["limits"], written["description"]) == ({"memory_mb": 300}, "S")
    assert (await servers.versions.all("x"))[0].author == "owner"
    for change, status, said in (
        ({"memory_mb": "0"}, 422, "This should be greater than 0."),
        ({"hosts": "not a host"}, 409, "not"),
        ({"was": "another"}, 409, "was changed meanwhile; nothing was saved"),
    ):
        refused: Any = await send(owner, POLICY, {**await fields(owner), **change}, page=POLICY)
        page = html.unescape(await refused.get_data(as_text=True))
        assert (refused.status_code, said in page, servers.spec("x")) == (status, True, spec)
    back = {**await fields(owner), "description": before.description}
    assert (await send(owner, POLICY, back, page=POLICY)).status_code == 303
    assert servers.spec("x").limits == before.limits


async def test_only_a_dynamic_server_has_a_form_of_its_policy(stage: Stage) -> None:
    """Ours: a fixed one is its owner's folder."""
    owner = await sign_in(stage.shown)
    assert (await owner.get("/server/none/policy")).status_code == 404
    page = await (await owner.get(POLICY)).get_data(as_text=True)
    assert "the owner alone" in page and "Granted to fixed servers alone" in page


async def test_a_server_is_deleted_by_typing_its_name(stage: Stage) -> None:
    """Ours: what cannot be undone is not one press away."""
    page = await stage.open("/server/x")
    await page.get_by_role("link", name="Delete").click()
    await page.get_by_label("Type the server's name").fill("y")
    await press(page, "Delete for good")
    await expect(page.get_by_text("Type x to delete this server")).to_be_visible()
    await page.get_by_label("Type the server's name").fill("x")
    await press(page, "Delete for good")
    assert page.url == f"{stage.url}/servers"
    assert stage.gateway.services.servers.names() == ()
    assert (await stage.entries())[0].action == "delete a server"
