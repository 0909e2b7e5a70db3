"""A run that people watch: in Debian's Chromium, without scripts, and on the command line."""

import json
from typing import Any

import anyio
import pytest
from playwright.async_api import expect

from gateway.cli.exits import Exit
from gateway.standin import Call, Hang, ModelRequest, Refuse, Reply, Say
from tests.cli.gateways import COMMAND
from tests.run_pages.conftest import SEND, Stage

pytestmark = pytest.mark.timeout(180)

GUARD_S = 60
CHANGE_MS = 30_000
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
    await expect(page.locator("#draft")).to_contain_text("First this", timeout=CHANGE_MS)
    await expect(page.locator("#connection")).to_have_text("Live")
    call = page.locator("details.call")
    await expect(call.locator("summary")).to_have_text(f"Call of {SEND}")
    await expect(call.locator("pre")).to_be_hidden()
    await expect(page.locator("details.result summary")).to_have_text(f"Answer of {SEND}")
    finish.set()
    await expect(page.locator("#connection")).to_have_text("Ended", timeout=CHANGE_MS)
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
    await expect(page.locator("#state")).to_contain_text("running", timeout=CHANGE_MS)
    await page.get_by_role("button", name="Kill").click()
    await expect(page.locator("#state")).to_contain_text("cancelled", timeout=CHANGE_MS)
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


async def test_the_files_of_a_run_are_listed_and_written_to_disk(stage: Stage) -> None:
    """Issue 7, What 5: by commands, whatever the model called them; nothing is replaced."""
    wrote = (
        f"mkdir out; echo one > '{HOSTILE}.html'; printf two > \"$(printf 'out/a\\nb')\"; ln -s / l"
    )
    stage.api.script = lambda asked: (
        Say("Done.") if asked.tool_results else Call("Bash", {"command": wrote})
    )
    ran = await stage.call("run_prompt", prompt="Write.", tools=["Bash"], wait_s=50)
    run_id = ran["run"]["id"]
    assert (ran["output"], ran["run"]["status"]) == ("[stand-in] Done.", "succeeded")
    status, told, _ = await stage.command("runs", "files", run_id, "--json")
    files = {each["path"]: each for each in json.loads(told)["files"]}
    assert (status, [*files]) == (Exit.OK, [f"{HOSTILE}.html", "l", "out/a\nb"])
    _, shown, _ = await stage.command("runs", "show", run_id)
    assert f"{HOSTILE}.html" in shown
    assert "out/a\\nb" in shown
    assert "Bash  ok" in shown
    status, told, noted = await stage.command("runs", "download", run_id, "--to", "got")
    got = stage.place.folder / "got"
    assert (status, told) == (Exit.OK, f"got/{HOSTILE}.html\ngot/out/a\\nb\n")
    assert "Not kept: l: It is a link" in noted
    assert (got / f"{HOSTILE}.html").read_text("utf-8") == "one\n"
    assert (got / "out" / "a\\nb").read_text("utf-8") == "two"
    again = await stage.command("runs", "download", run_id, "out/a\nb", "--to", "got")
    assert (again[0], "exists; name another folder" in again[2]) == (Exit.FAILED, True)
