"""The page on which the owner sees and ends whatever may come in."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gateway.auth.machine_tokens import MadeToken, make_token
from gateway.domain.view import read_view
from tests.oauth.parts import Browser, Inputs, Program, signed_in
from tests.oauth.stage import BASE, Stage, open_stage

CANARY = "<script>alert(1)</script>\"'&"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """An authorization server with pages, and no gateway around it."""
    async with open_stage(tmp_path) as opened:
        yield opened


async def page_of(browser: Browser) -> str:
    """Return the page."""
    answer = await browser.open(f"{BASE}/access")
    assert answer.status_code == 200
    return answer.text


async def end(browser: Browser, kind: str, ends: str) -> int:
    """Press the button of one thing; return the status."""
    token = dict(Inputs(await page_of(browser)).hidden)["form_token"]
    form = {"form_token": token, "kind": kind, "id": ends}
    return (await browser.http.post(f"{BASE}/access", data=form)).status_code


async def machine_token(stage: Stage, name: str = "script") -> MadeToken:
    """Make a machine token that shows one server."""
    view = read_view(("email",), (), ())
    return await make_token(stage.store.tokens, name=name, scope="run", view=view)


async def granted(stage: Stage, browser: Browser, name: str = "Claude") -> tuple[Program, str]:
    """Return a client that was approved, and its access token."""
    program = stage.program()
    await program.register(client_name=name)
    return program, (await signed_in(program, browser))["access_token"]


async def test_the_page_shows_browsers_programs_and_tokens_with_their_last_use(
    stage: Stage,
) -> None:
    """Issue 6, What 6: and hostile names are text."""
    async with stage.browser() as browser:
        browser.http.headers["User-Agent"] = CANARY
        program, access = await granted(stage, browser, CANARY)
        made = await machine_token(stage, CANARY)
        assert await stage.guard.caller(f"Bearer {access}")
        assert await stage.guard.caller(f"Bearer {made.value}")
        await stage.guard.note_uses()
        async with stage.stranger() as other:
            other.http.headers["User-Agent"] = CANARY
            await other.log_in(f"/login?key={stage.sessions.links.issue()}")
        page = await page_of(browser)
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3
    for shown in (program.id, made.token.id, f"{BASE}/mcp", "read run", "127.0.0.1", "this one"):
        assert shown in page
    assert page.count("never</td>") == 1  # the token's end, which it has not


async def test_each_thing_ends_at_once(stage: Stage) -> None:
    """Issue 6, What 6: what was ended opens nothing any more, and the rest stays."""
    async with stage.browser() as browser, stage.browser() as other:
        _, first = await granted(stage, browser)
        program, second = await granted(stage, browser)
        made, kept = await machine_token(stage), await machine_token(stage)
        ended: list[str] = []
        stage.guard.endings.listen(ended.append)
        for value in (first, second, made.value, kept.value):
            assert await stage.guard.caller(f"Bearer {value}")
        grant = re.findall(r"grant_[a-z0-9]+", await page_of(browser))[-1]
        session = stage.sessions.find(other.http.cookies["claude-runner"])
        assert session is not None
        assert await end(browser, "grant", grant) == 303
        assert await end(browser, "client", program.id) == 303
        assert await end(browser, "token", made.token.id) == 303
        assert await end(browser, "session", session.id) == 303
        assert (await other.open(f"{BASE}/access")).status_code == 401
        page = await page_of(browser)
    found = [
        await stage.guard.caller(f"Bearer {value}") is not None
        for value in (first, second, made.value, kept.value)
    ]
    assert found == [False, False, False, True]
    assert len(ended) == 3
    assert program.id not in page
    assert kept.token.id in page


@pytest.mark.parametrize(
    ("kind", "ends", "status"),
    [
        ("session", "session_none", 404),
        ("grant", "grant_none", 404),
        ("client", "client_none", 404),
        ("token", "tok_none", 404),
        ("server", "email", 400),
        ("", "", 400),
    ],
)
async def test_what_is_not_there_cannot_end(
    stage: Stage, kind: str, ends: str, status: int
) -> None:
    """Ours: one sentence, and nothing changes."""
    async with stage.browser() as browser:
        assert await end(browser, kind, ends) == status
        await page_of(browser)


async def test_the_preregistered_client_is_replaced_not_removed(stage: Stage) -> None:
    """Ours: `client rotate` or the settings do that."""
    made = await stage.server.preregister()
    assert made is not None
    async with stage.browser() as browser:
        assert await end(browser, "client", made.id) == 404
        assert made.id in await page_of(browser)


async def test_logging_out_everywhere_ends_this_browser_too(stage: Stage) -> None:
    """Ours."""
    async with stage.browser() as browser, stage.browser() as other:
        assert await end(browser, "everywhere", "") == 303
        for each in (browser, other):
            assert (await each.open(f"{BASE}/access")).status_code == 401


async def test_a_stranger_neither_sees_nor_ends_anything(stage: Stage) -> None:
    """Ours: a session and its own form first."""
    made = await machine_token(stage)
    async with stage.stranger() as stranger:
        page = await stranger.open(f"{BASE}/access")
        assert page.status_code == 401
        assert made.token.id not in page.text
        form = {**dict(Inputs(page.text).hidden), "kind": "token", "id": made.token.id}
        assert (await stranger.http.post(f"{BASE}/access", data=form)).status_code == 401
    assert await stage.guard.caller(f"Bearer {made.value}")
