"""A run that people watch: in Debian's Chromium, without scripts, and on the command line."""

import json
from typing import Any

import anyio
import pytest
from playwright.async_api import expect

from gateway.cli.exits import Exit
from gateway.standin import Call, Hang, ModelRequest, Refuse, Reply, Say
from tests.cli.gateways import COMMAND
from tests.run_pages.conftest import SEND, Stage, says

pytestmark = pytest.mark.timeout(180)

GUARD_S = 60
HOSTILE = "<img src=x onerror=alert(1)>"


def sends_and_says(text: str, hold: anyio.Event | None = None) -> Any:
    """Return a script: one call of the tool, then a text that comes piece by piece."""

    def script(request: ModelRequest) -> Reply:
        if not request.tool_results:
            return Call(SEND, {"to": "Ann"})
        return Say(text, pieces=20, hold=hold)

    return script


async def test_the_page_of_a_run_follows_it(stage: Stage) -> None:
    """Issue 7, What 5: partial text, folded calls with answers, tokens, cost, kill and again."""
    finish = anyio.Event()
    stage.api.script = sends_and_says(f"First this {HOSTILE} and then the rest", finish)
    run_id = await stage.start_run(f"Ask {HOSTILE}")
    page = await stage.page(f"/runs/{run_id}")
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await expect(page.locator("#draft")).to_contain_text("First this")
    await expect(page.locator("#connection")).to_have_text("Live")
    call = page.locator("details.call")
    await expect(call.locator("summary")).to_have_text(f"Call of {SEND}")
    await expect(call.locator("pre")).to_be_hidden()
    await expect(page.locator("details.result summary")).to_have_text(f"Answer of {SEND}")
    finish.set()
    await expect(page.locator("#connection")).to_have_text("Ended")
    await expect(page.locator("#state")).to_contain_text("succeeded")
    await expect(page.locator("#state")).to_contain_text("2,000 in, 100 out")
    said = "[stand-in] First this <img src=x onerror=alert(1)> and then the rest"
    await expect(page.locator("#conversation .said")).to_have_text(said)
    await expect(page.locator("#draft")).to_have_text("")
    await expect(page.get_by_role("button", name="Kill")).to_be_hidden()
    assert complaints == []

    stage.api.script = lambda _: Hang()
    await page.get_by_role("button", name="Run again").click()
    await page.wait_for_url(lambda url: run_id not in url)
    await expect(page.locator("#state")).to_contain_text("running")
    await page.get_by_role("button", name="Kill").click()
    await expect(page.locator("#state")).to_contain_text("cancelled")
    await page.close()


async def test_the_page_of_a_run_reads_without_javascript(stage: Stage) -> None:
    """Issue 7: all of it is in the page, and an unfinished one asks to be reloaded."""
    stage.api.script = sends_and_says("All of it.")
    run_id = await stage.start_run()
    assert (await stage.command("runs", "follow", run_id))[0] == Exit.OK
    browser = stage.context.browser
    assert browser is not None
    state = await stage.context.storage_state()
    async with await browser.new_context(java_script_enabled=False, storage_state=state) as plain:
        page = await plain.new_page()
        await page.goto(f"{stage.live.url}/")
        await page.get_by_role("link", name=run_id).click()
        await expect(page.locator("#conversation .said")).to_have_text("[stand-in] All of it.")
        await expect(page.locator("details.result summary")).to_have_text(f"Answer of {SEND}")
        await expect(page.get_by_role("button", name="Run again")).to_be_visible()
        assert await page.locator("meta[http-equiv=refresh]").count() == 0
        answer = await page.goto(f"{stage.live.url}/runs/run_none")
        assert answer is not None
        assert answer.status == 404


async def test_the_command_line_follows_a_run(stage: Stage) -> None:
    """Issue 7, What 5: the text once, as it comes; nothing is lost or doubled from any number."""
    finish = anyio.Event()
    stage.api.script = sends_and_says("First this and then the rest", finish)
    run_id = await stage.start_run()
    said = b""
    with anyio.fail_after(GUARD_S):
        async with await anyio.open_process(
            [*COMMAND, "runs", "follow", run_id], env=stage.place.env(), cwd=stage.place.folder
        ) as follower:
            assert follower.stdout is not None
            async for chunk in follower.stdout:
                said += chunk
                if b"First this" in said:
                    finish.set()
            status = await follower.wait()
    assert (status, said.decode()) == (Exit.OK, "[stand-in] First this and then the rest\n")

    _, told, _ = await stage.command("runs", "follow", run_id, "--json")
    events = [json.loads(line) for line in told.splitlines()]
    assert [event["event"] for event in events] == [*["message"] * 5, "status"]
    assert [event["number"] for event in events] == ["1.0", "2.0", "3.0", "4.0", "5.0", "5.0"]
    after = await stage.command("runs", "follow", run_id, "--json", "--after", "3.0")
    assert [json.loads(line) for line in after[1].splitlines()] == events[3:]
    wrong = await stage.command("runs", "follow", run_id, "--after", "three")
    assert (wrong[0], "no number of an event" in wrong[2]) == (Exit.FAILED, True)
    missing = await stage.command("runs", "follow", "run_none")
    assert (missing[0], "There is no run" in missing[2]) == (Exit.FAILED, True)
    assert run_id in (await stage.command("runs", "list"))[1]


async def test_a_job_gives_a_tool_a_name_of_its_own(stage: Stage) -> None:
    """Issue 5, What 4: the model sees that name alone, and the record says whose tool it was."""
    own, seen = "mcp__claude-runner__letter", set[str]()

    def script(request: ModelRequest) -> Reply:
        seen.update(tool.name for tool in request.tools)
        return Say("Sent.") if request.tool_results else Call(own, {"to": "Ann"})

    stage.api.script = script
    run_id = await stage.start_run(tool="x:send=letter")
    await stage.command("runs", "follow", run_id)
    told = await stage.call("get_run", run_id=run_id)
    assert (told["run"]["error"], told["tools"], seen) == (None, [f"{SEND}=letter"], {own})
    assert [(call["tool"], call["outcome"]) for call in told["calls"]] == [(SEND, "ok")]


async def test_the_status_says_how_the_run_ended(stage: Stage) -> None:
    """Ours: a killed run is another status than one that worked."""
    stage.api.script = lambda _: Hang()
    run_id = await stage.start_run()
    async with (
        anyio.create_task_group() as group,
        await anyio.open_process(
            [*COMMAND, "runs", "follow", run_id], env=stage.place.env(), cwd=stage.place.folder
        ) as follower,
    ):
        group.start_soon(stage.command, "runs", "kill", run_id)
        with anyio.fail_after(GUARD_S):
            assert await follower.wait() == Exit.CANCELLED


async def test_a_prompt_is_run_now(stage: Stage) -> None:
    """Issue 7, What 7: with chosen tools, without a job; the exit status says how it ended."""
    stage.api.script = sends_and_says("Done.")
    before = len(stage.api.requests)
    status, said, noted = await stage.command("run", "Send it.", "--tools", "x:send, Read")
    assert (status, said) == (Exit.OK, "[stand-in] Done.\n")
    assert "is read as" in noted
    offered = {tool.name for tool in stage.api.requests[before].tools}
    assert offered == {"Read", SEND}
    status, said, noted = await stage.command("run", "Send it.", "--follow")
    assert (status, said) == (Exit.OK, "[stand-in] Done.\n")
    assert "names no tools, so it has the default tools and every tool" in noted
    assert f"→ {SEND}" in noted
    assert SEND in {tool.name for tool in stage.api.requests[-1].tools}
    stage.api.script = lambda _: Refuse(400, "invalid_request_error", "the script refuses")
    status, said, noted = await stage.command("run", "Send it.", "--tools", "Read")
    assert (status, "the script refuses" in noted) == (Exit.FAILED, True)
    stage.api.script = sends_and_says("Done.")
    waited = await stage.call("run_prompt", prompt="Send it.", tools=[SEND], wait_s=50)
    assert (waited["output"], waited["run"]["trigger"]) == ("[stand-in] Done.", "quick")


WROTE = f"mkdir out; echo one > '{HOSTILE}.html'; printf two > \"$(printf 'out/a\\nb')\"; ln -s / l"


def writes_and_answers(asked: ModelRequest) -> Reply:
    """Write files of hostile names, answer with an object, then end."""
    answer = Call("StructuredOutput", {"n": HOSTILE})
    replies = (Call("Bash", {"command": WROTE}), answer, Say("Done."))
    return replies[min(len(asked.tool_results), 2)]


async def test_what_a_run_left_is_shown_and_written_to_disk(stage: Stage) -> None:
    """Issue 7, What 5; issue 8: files, object, money, calls and versions, by page and command.

    Whatever the model called them: it is text on the page, and nothing on disk is replaced.
    """
    stage.api.script = writes_and_answers
    schema = stage.place.folder / "schema.json"
    schema.write_text('{"type": "object", "required": ["n"]}', "utf-8")
    asked = ("run", "Write.", "--tools", "Bash", "--output-schema", str(schema))
    status, said, noted = await stage.command(*asked, "--model", "claude-sonnet-5-5")
    assert (status, json.loads(said)) == (Exit.OK, {"n": HOSTILE})
    run_id = next(word for word in noted.split() if word.startswith("run_"))
    detail = await stage.call("get_run", run_id=run_id)
    assert [each["model"] for each in detail["models"]] == ["claude-sonnet-5-5"]
    assert detail["models"][0]["cost_usd"] == detail["run"]["cost_usd"]

    _, told, _ = await stage.command("runs", "files", run_id, "--json")
    paths = [f"{HOSTILE}.html", "l", "out/a\nb"]
    assert [each["path"] for each in json.loads(told)["files"]] == paths
    _, shown, _ = await stage.command("runs", "show", run_id)
    for text in (f"{HOSTILE}.html", "out/a\\nb", "Bash", "claude-sonnet-5-5", '"n": "<img'):
        assert text in shown
    status, told, noted = await stage.command("runs", "download", run_id, "--to", "got")
    got = stage.place.folder / "got"
    assert (status, told) == (Exit.OK, f"got/{HOSTILE}.html\ngot/out/a\\nb\n")
    assert "Not kept: l: It is a link" in noted
    assert (got / f"{HOSTILE}.html").read_text("utf-8") == "one\n"
    assert (got / "out" / "a\\nb").read_text("utf-8") == "two"
    again = await stage.command("runs", "download", run_id, "out/a\nb", "--to", "got")
    assert (again[0], "exists; name another folder" in again[2]) == (Exit.FAILED, True)
    await look_at_what_it_left(stage, run_id)
    await run_again_from_the_list(stage, run_id)


async def look_at_what_it_left(stage: Stage, run_id: str) -> None:
    """See that its page tells all of it as text, and that a file is for the disk alone."""
    page = await stage.page(f"/runs/{run_id}")
    for title in ("Structured answer", "Files", "Money", "Calls", "Attempts"):
        await expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    files = page.locator("section[aria-labelledby=files-title]")
    await expect(files.get_by_role("rowheader").first).to_have_text(f"{HOSTILE}.html")
    await expect(files).to_contain_text("It is a link, no file.")
    money = page.locator("section[aria-labelledby=money-title]")
    await expect(money.get_by_role("rowheader")).to_have_text("claude-sonnet-5-5")
    assert await page.locator("#told img, #told script, #state img").count() == 0
    link = files.get_by_role("link", name=f"{HOSTILE}.html")
    async with page.expect_download() as downloaded:
        await link.click()
    assert (await (await downloaded.value).path()).read_text("utf-8") == "one\n"
    address = await link.get_attribute("href")
    answer = await stage.context.request.get(f"{stage.live.url}{address}")
    held = {name: answer.headers[name] for name in ("content-type", "x-content-type-options")}
    assert held == {"content-type": "application/octet-stream", "x-content-type-options": "nosniff"}
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%3Cimg")
    missing = await stage.context.request.get(f"{stage.live.url}{address}9")
    assert missing.status == 404
    await page.close()


async def run_again_from_the_list(stage: Stage, run_id: str) -> None:
    """See that the list follows what happens, and that the buttons of its rows act."""
    page = await stage.page("/runs?status=succeeded")
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await expect(page.locator("#connection")).to_have_text("Live")
    await expect(page.get_by_role("link", name=run_id)).to_be_visible()
    stage.api.script = says("Once more.")
    other = await stage.call("run_prompt", prompt="Again.", tools=["Read"], wait_s=50)
    await expect(page.get_by_role("link", name=other["run"]["id"])).to_be_visible()
    stage.api.script = lambda _: Hang()
    await page.get_by_role("button", name=f"Run again {other['run']['id']}").click()
    await page.wait_for_url("**/runs/run_*")
    started = page.url.rpartition("/")[2]
    await page.goto(f"{stage.live.url}/runs")
    await page.get_by_role("button", name=f"Kill {started}").click()
    await expect(page.locator("#state")).to_contain_text("cancelled")
    assert complaints == []
    await page.close()
