"""The consent page: who may say yes, to what, and where refusals go."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.oauth.clients import Configured
from gateway.secret import Secret
from tests.oauth.parts import CLAUDE_CALLBACK, Inputs, answer_of
from tests.oauth.stage import BASE, PUBLIC, Stage, open_stage

HOSTILE = "<script>alert(1)</script>\u202e\n"


async def test_the_owner_is_asked_every_time(stage: Stage) -> None:
    """Security E 4: an earlier yes of the same browser is none for this request."""
    program = stage.program()
    await program.register()
    async with stage.browser() as browser:
        for _ in range(2):
            page = await browser.open(program.authorize_url())
            assert page.status_code == 200
            assert "Allow access?" in page.text
            assert "code" in answer_of(await browser.submit(program.authorize_url(), page.text))


async def test_the_page_shows_who_gets_the_answer_and_hostile_names_as_text(stage: Stage) -> None:
    """Security E 7, issue 6 What 2."""
    program = stage.program()
    await program.register(client_name=HOSTILE)
    async with stage.browser() as browser:
        page = (await browser.open(program.authorize_url())).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <small>" in page
    assert "\u202e" not in page
    assert "<strong>claude.ai</strong>" in page
    assert f"<dd>{BASE}/mcp</dd>" in page
    assert Inputs(page).ticks == {"read": True, "run": True, "admin": False}


async def test_nobody_frames_the_page_and_its_form_leads_to_the_client_alone(stage: Stage) -> None:
    """Security E 4 and F."""
    program = stage.program(PUBLIC)
    await program.register()
    async with stage.browser(PUBLIC) as browser:
        answer = await browser.open(program.authorize_url())
        cookie = next(iter(browser.http.cookies.jar))
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert "form-action 'self' https://claude.ai" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert (cookie.name, cookie.secure) == ("__Host-claude-runner", True)


async def test_without_a_login_the_page_is_the_login_and_leads_on(stage: Stage) -> None:
    """Issue 6, What 2; 200, because fastmcp's client looks before it opens a browser."""
    program = stage.program(PUBLIC)
    await program.register()
    address = program.authorize_url(state='a&b="c"')
    async with stage.stranger(PUBLIC) as browser:
        page = await browser.open(address)
        assert page.status_code == 200
        assert page.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
        assert "ticket" not in page.text
        wrong = await browser.log_in_by_password(page.text, "ann", "wrong")
        assert wrong.status_code == 401
        entered = await browser.log_in_by_password(wrong.text, "ann", "correct horse")
        assert f"{PUBLIC}{entered.headers['Location']}" == address
        told = await browser.consent(address)
    assert told["state"] == 'a&b="c"'
    assert (await program.exchange(told["code"])).status_code == 200


async def test_a_page_is_good_in_its_own_browser_only(stage: Stage) -> None:
    """Security E 4: begun in one browser, finished in another."""
    program = stage.program()
    await program.register()
    address = program.authorize_url()
    async with stage.browser() as one, stage.browser() as other, stage.stranger() as stranger:
        page = (await one.open(address)).text
        for browser in (other, stranger):
            assert (await browser.submit(address, page)).status_code == 403
        assert (await one.submit(address, page)).status_code == 303


@pytest.mark.parametrize(
    "change",
    [
        {"ticket": ""},
        {"ticket": "nan.00"},
        {"redirect_uri": "https://claude.com/api/mcp/auth_callback"},
        {"scope": "admin"},
        {"state": "other"},
        {"resource": f"{BASE}/servers/x/mcp"},
    ],
    ids=str,
)
async def test_nothing_but_what_was_shown_can_be_approved(
    stage: Stage, change: dict[str, str]
) -> None:
    """Security E 4: a form without its ticket, or with other values."""
    program = stage.program()
    both = [CLAUDE_CALLBACK, "https://claude.com/api/mcp/auth_callback"]
    await program.register(redirect_uris=both)
    address = program.authorize_url(scope="read")
    async with stage.browser() as browser:
        page = (await browser.open(address)).text
        assert (await browser.submit(address, page, change=change)).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
async def test_another_sites_form_is_refused(stage: Stage, origin: str) -> None:
    """Security F."""
    program = stage.program()
    await program.register()
    address = program.authorize_url()
    async with stage.browser() as browser:
        page = (await browser.open(address)).text
        assert (await browser.submit(address, page, origin=origin)).status_code == 403


async def test_a_page_ends_after_ten_minutes(stage: Stage) -> None:
    """Ours."""
    program = stage.program()
    await program.register()
    address = program.authorize_url()
    async with stage.browser() as browser:
        page = (await browser.open(address)).text
        stage.clock.pass_s(601)
        assert (await browser.submit(address, page)).status_code == 403


@pytest.mark.parametrize("choices", [{"decision": "deny"}, {"ticks": []}, {"ticks": ["admin"]}])
async def test_no_is_told_to_the_client(stage: Stage, choices: dict[str, object]) -> None:
    """RFC 6749, section 4.1.2.1; ticking what was not asked for is a no."""
    program = stage.program()
    await program.register()
    async with stage.browser() as browser:
        told = await browser.consent(program.authorize_url(scope="read run"), **choices)
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "st", BASE)


@pytest.mark.parametrize(
    ("scope", "ticks", "granted"),
    [
        (None, None, "read run"),
        ("read offline_access", None, "read"),
        ("claudeai", None, "read run"),
        ("admin", None, "admin"),
        (None, ["admin", "read"], "admin read"),
    ],
)
async def test_the_owner_decides_which_scopes(
    stage: Stage, scope: str | None, ticks: list[str] | None, granted: str
) -> None:
    """B.2, 9 and B.1: defaults where none is asked, others' scopes are left out."""
    program = stage.program()
    await program.register()
    async with stage.browser() as browser:
        told = await browser.consent(program.authorize_url(scope=scope), ticks=ticks)
    assert (await program.exchange(told["code"])).json()["scope"] == granted


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "client_unknown"},
        {"client_id": None},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": f"{CLAUDE_CALLBACK}/"},
        {"redirect_uri": f"{CLAUDE_CALLBACK}?x=1"},
        {"redirect_uri": None},
    ],
    ids=str,
)
async def test_a_wrong_client_or_address_is_shown_and_never_redirected(
    stage: Stage, change: dict[str, str | None]
) -> None:
    """Security E 6: no open redirect."""
    program = stage.program()
    await program.register()
    async with stage.browser() as browser:
        answer = await browser.open(program.authorize_url(**change))
    assert answer.status_code == 400
    assert "Location" not in answer.headers


MISTAKES = pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"resource": f"{BASE}/elsewhere"}, "invalid_target"),
    ],
    ids=str,
)


@MISTAKES
async def test_other_mistakes_are_told_to_the_owners_own_client(
    tmp_path: Path, change: dict[str, str | None], error: str
) -> None:
    """RFC 6749, section 4.1.2.1; RFC 8707, section 2; PKCE by S256 only."""
    configured = Configured("claude", Secret("shh"))
    async with open_stage(tmp_path, configured=configured) as stage, stage.browser() as browser:
        await stage.server.preregister()
        program = stage.program()
        program.id = "claude"
        answer = await browser.open(program.authorize_url("/oauth/authorize", **change))
    told = answer_of(answer)
    assert answer.status_code == 303
    assert (told["error"], told["state"], told["iss"]) == (error, "st", BASE)


@MISTAKES
async def test_mistakes_of_a_stranger_are_shown_to_the_owner_who_may_go_back(
    stage: Stage, change: dict[str, str | None], error: str
) -> None:
    """RFC 9700, section 4.11.2: an address that somebody registered is not led to by itself."""
    program = stage.program()
    await program.register(client_name=HOSTILE)
    async with stage.browser() as browser:
        answer = await browser.open(program.authorize_url(**change))
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    (address,) = [each for each in Links(answer.text).found if each.startswith(CLAUDE_CALLBACK)]
    told = dict(parse_qsl(urlsplit(address).query))
    assert (told["error"], told["state"], told["iss"]) == (error, "st", BASE)


@MISTAKES
async def test_without_a_login_no_mistake_leads_anywhere(
    stage: Stage, change: dict[str, str | None], error: str
) -> None:
    """RFC 9700, section 4.11.2: whoever comes is asked to log in first."""
    program = stage.program()
    await program.register()
    async with stage.stranger() as browser:
        answer = await browser.open(program.authorize_url(**change))
    assert answer.status_code == 200
    assert error not in answer.text
    assert CLAUDE_CALLBACK not in Links(answer.text).found


class Links(HTMLParser):
    """Where the links of a page lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take one link."""
        if tag == "a":
            self.found.append(dict(attrs).get("href") or "")
