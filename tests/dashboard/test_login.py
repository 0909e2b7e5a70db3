"""The owner's login by password: who gets in, who waits, and what every form needs."""

import asyncio
import threading
import unicodedata
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from argon2 import PasswordHasher
from quart import typing as quart_typing

from gateway.dashboard.password import (
    MAX_AT_ONCE,
    MAX_WAITING,
    OwnersPassword,
    TooManyChecks,
    hash_password,
    new_hasher,
)
from gateway.dashboard.throttle import FREE_FAILURES
from gateway.secret import Secret
from tests.dashboard.parts import Shown, open_link, send, sign_in, token_of
from tests.waiting import PATIENCE_S

NAME, PASSWORD = "ann", "pässwörd 漢字 \U0001f511"
RIGHT = {"username": NAME, "password": PASSWORD}
WRONG = {**RIGHT, "password": "passwort"}
GUARD_S = PATIENCE_S
PUBLIC: dict[str, Any] = {"Host": "runner.example.org"}


class Counted(PasswordHasher):
    """Argon2 with our costs, counting."""

    def __init__(self) -> None:
        super().__init__(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self.checks = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:
        self.checks += 1
        return super().verify(hash, password)


@dataclass
class House:
    """A dashboard with a password."""

    hasher: Counted = field(default_factory=Counted)

    def __post_init__(self) -> None:
        self.shown = Shown(password=OwnersPassword(NAME, Secret(PASSWORD), self.hasher))

    def browser(self) -> quart_typing.TestClientProtocol:
        """Return a browser that has never been here."""
        return self.shown.app.test_client()

    async def log_in(
        self,
        client: quart_typing.TestClientProtocol,
        form: Mapping[str, str] = RIGHT,
        **headers: Any,
    ) -> Any:
        """Fill the form in and send it."""
        return await send(client, "/login", form, page="/login", **headers)


async def test_the_right_password_opens_a_session() -> None:
    """Issue 6, What 6: also one beyond ASCII."""
    house = House()
    client = house.browser()
    answer = await house.log_in(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert (await client.get("/")).status_code == 200
    (session,) = house.shown.sessions.all()
    assert (session.way, session.address) == ("password", "127.0.0.1")


async def test_letters_count_however_a_keyboard_composes_them() -> None:
    """RFC 8265, section 4.2.2: accents apart or together are one password."""
    house = House()
    apart = {**RIGHT, "password": unicodedata.normalize("NFD", PASSWORD)}
    assert (await house.log_in(house.browser(), apart)).status_code == 303


@pytest.mark.parametrize(
    "form",
    [
        WRONG,
        {**RIGHT, "username": "bob"},
        {**RIGHT, "username": "ann\x00"},
        {**RIGHT, "username": "änn\ufffd"},
        {**RIGHT, "password": ""},
        {},
    ],
    ids=str,
)
async def test_anything_else_is_refused_alike_and_costs_one_hash(form: dict[str, str]) -> None:
    """Security F: an unknown name takes as long as a wrong password, and says as little."""
    house = House()
    client = house.browser()
    answer = await house.log_in(client, form)
    assert answer.status_code == 401
    assert "The user name or the password is wrong." in await answer.get_data(as_text=True)
    assert (house.hasher.checks, house.shown.sessions.all()) == (1, ())


async def test_a_hash_may_stand_for_the_password() -> None:
    """Ours: what `dashboard password` prints."""
    hashed = hash_password(PASSWORD, new_hasher())
    owner = OwnersPassword(NAME, Secret(hashed))
    assert await owner.matches(NAME, PASSWORD)
    assert not await owner.matches(NAME, hashed)


async def test_no_more_than_two_are_hashed_at_once_and_few_wait() -> None:
    """Issue 6, Shows: a flood neither takes all memory nor makes a long line."""

    class Watched(Counted):
        def __init__(self) -> None:
            super().__init__()
            self.running = self.most = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> Any:
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                return super().verify(hash, password)
            finally:
                self.running -= 1

    hasher = Watched()
    owner = OwnersPassword(NAME, Secret(PASSWORD), hasher)
    tries = (owner.matches(NAME, "x") for _ in range(MAX_AT_ONCE + MAX_WAITING + 20))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each) for each in results].count(TooManyChecks) == 20
    assert (hasher.most <= MAX_AT_ONCE, hasher.checks) == (True, MAX_AT_ONCE + MAX_WAITING)


async def test_failures_make_their_address_wait_before_any_hash() -> None:
    """Security F: throttled, with the time to wait; the right password too."""
    house = House()
    client = house.browser()
    statuses = [(await house.log_in(client, WRONG)).status_code for _ in range(FREE_FAILURES + 1)]
    assert statuses == [401] * (FREE_FAILURES + 1)
    answer = await house.log_in(client)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    text = await answer.get_data(as_text=True)
    assert "Too many wrong logins from here; try again in 1 s." in text
    assert house.hasher.checks == FREE_FAILURES + 1
    house.shown.clock.now_s += 1.0
    assert (await house.log_in(client)).status_code == 303


async def test_another_address_gets_in_meanwhile() -> None:
    """Security F: 50 wrong ones, then the right one from elsewhere."""
    house = House()
    for _ in range(50):
        await house.log_in(house.browser(), WRONG)
    house.shown.address = "192.0.2.9"
    assert (await house.log_in(house.browser())).status_code == 303


async def test_an_address_that_a_stranger_forwards_is_not_believed() -> None:
    """Security F: no fresh start by X-Forwarded-For."""
    house = House()
    forged = [{"X-Forwarded-For": f"192.0.2.{n}"} for n in range(FREE_FAILURES + 2)]
    statuses = [(await house.log_in(house.browser(), WRONG, **each)).status_code for each in forged]
    assert statuses == [401] * (FREE_FAILURES + 1) + [429]


async def test_a_browser_of_the_owner_counts_by_itself() -> None:
    """Ours: where everybody has one address, as behind a tunnel, a flood is not in his way."""
    house = House()
    client = house.browser()
    await house.log_in(client)
    await send(client, "/logout", {}, page="/")
    for _ in range(20):
        await house.log_in(house.browser(), WRONG)
    assert (await house.log_in(house.browser())).status_code == 429
    assert (await house.log_in(client)).status_code == 303


async def test_a_forged_known_browser_is_a_stranger() -> None:
    """Ours: the cookie is signed."""
    house = House()
    for _ in range(FREE_FAILURES + 1):
        await house.log_in(house.browser(), WRONG)
    client = house.browser()
    client.set_cookie("localhost", "claude-runner-known", "name.0000")
    assert (await house.log_in(client)).status_code == 429


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/logout", "/login", "/approvals"])
async def test_a_form_of_another_site_changes_nothing(path: str, headers: dict[str, str]) -> None:
    """Security F: even one that has the token."""
    house = House()
    client = await sign_in(house.shown)
    token = token_of(await (await client.get("/")).get_data(as_text=True))
    answer = await client.post(path, form={"form_token": token, **RIGHT}, headers=headers)
    assert answer.status_code == 403
    assert (house.hasher.checks, len(house.shown.sessions.all())) == (0, 1)


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
@pytest.mark.parametrize("headers", [{}, {"Origin": "http://localhost"}])
async def test_a_form_without_its_token_changes_nothing(
    token: str | None, headers: dict[str, str]
) -> None:
    """Security F: where a browser says nothing about itself, and where it does."""
    house = House()
    client = await sign_in(house.shown)
    form = {} if token is None else {"form_token": token}
    for path in ("/logout", "/login", "/approvals"):
        assert (await client.post(path, form={**form, **RIGHT}, headers=headers)).status_code == 403
    assert (house.hasher.checks, len(house.shown.sessions.all())) == (0, 1)


async def test_a_token_is_good_in_its_own_browser_only() -> None:
    """Security F: before and after the login."""
    house = House()
    client, other = await sign_in(house.shown), await sign_in(house.shown)
    theirs = token_of(await (await other.get("/")).get_data(as_text=True))
    assert (await client.post("/logout", form={"form_token": theirs})).status_code == 403
    stranger = token_of(await (await house.browser().get("/login")).get_data(as_text=True))
    answer = await house.browser().post("/login", form={"form_token": stranger, **RIGHT})
    assert answer.status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data", ""])
async def test_only_forms_are_taken(kind: str) -> None:
    """Security F: no JSON in the clothes of plain text."""
    house = House()
    client = await sign_in(house.shown)
    headers = {"Content-Type": kind, "Origin": "http://localhost"}
    answer = await client.post("/logout", data='{"form_token": ""}', headers=headers)
    assert (answer.status_code, len(house.shown.sessions.all())) == (415, 1)


async def test_a_login_changes_the_session_and_ends_the_old_one() -> None:
    """Security F: neither a planted nor an old id lives on."""
    house = House()
    client = await sign_in(house.shown)
    (old,) = house.shown.sessions.all()
    await house.log_in(client)
    (new,) = house.shown.sessions.all()
    assert new.id != old.id
    planted = house.browser()
    planted.set_cookie("localhost", "claude-runner", "planted")
    await house.log_in(planted)
    assert not house.shown.sessions.is_open("planted")


async def test_a_cookie_is_worth_nothing_after_the_logout() -> None:
    """Security F: replayed from a copy."""
    house = House()
    client = house.browser()
    await house.log_in(client)
    assert client.cookie_jar is not None
    copied = {cookie.name: cookie.value or "" for cookie in client.cookie_jar}
    await send(client, "/logout", {}, page="/")
    thief = house.browser()
    for name, value in copied.items():
        thief.set_cookie("localhost", name, value)
    assert (await thief.get("/")).status_code == 401
    assert (await thief.get("/events")).status_code == 401


async def test_cookies_are_bound_to_the_host_behind_https() -> None:
    """Issue 6, What 6: `__Host-`, Secure, HttpOnly; not Strict, for claude.ai leads to consent."""
    house = House()
    client = house.browser()
    await client.get("/login", headers=PUBLIC)
    answer = await house.log_in(client, **PUBLIC)
    cookies = answer.headers.getlist("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {
        "__Host-claude-runner",
        "__Host-claude-runner-known",
        "__Host-claude-runner-visitor",
    }
    for cookie in cookies:
        assert "; Path=/" in cookie
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
        assert "Domain" not in cookie
    assert all("SameSite=Lax" in cookie for cookie in cookies if "Max-Age=0" not in cookie)
    assert "Strict-Transport-Security" in answer.headers


@pytest.mark.parametrize(
    "headers", [PUBLIC, {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}], ids=str
)
async def test_without_a_password_it_is_closed_but_on_loopback(headers: dict[str, str]) -> None:
    """Issue 6, What 6: also for somebody who has a link; one sentence says how to open it."""
    shown = Shown()
    client = shown.app.test_client()
    page = await client.get("/", headers=headers)
    assert page.status_code == 401
    assert "Set DASHBOARD_USERNAME and DASHBOARD_PASSWORD" in await page.get_data(as_text=True)
    inside = await sign_in(shown)
    assert (await inside.get("/")).status_code == 200
    assert (await inside.get("/", headers=headers)).status_code == 401


async def test_without_a_password_another_machine_gets_nothing() -> None:
    """Issue 6, What 6: loopback is where the request comes from, not what it says."""
    shown = Shown()
    client = await sign_in(shown)
    shown.address = "192.0.2.9"
    assert (await client.get("/")).status_code == 401
    assert (await client.get("/events")).status_code == 401


async def test_a_link_works_beside_the_password() -> None:
    """Ours: made on the machine, good everywhere where the dashboard is open."""
    house = House()
    assert (await open_link(house.shown, house.browser(), **PUBLIC)).status_code == 303


async def test_programs_are_told_what_to_use_instead() -> None:
    """Issue 6, What 6: no Basic auth; a token is no login here, and a password none there."""
    house = House()
    for credentials in ("Basic YW5uOng=", "Bearer crt_x"):
        answer = await house.browser().get("/", headers={"Authorization": credentials})
        text = await answer.get_data(as_text=True)
        assert answer.status_code == 401
        assert "Basic" not in answer.headers.get("WWW-Authenticate", "")
        assert "./claude-runner token create" in text


@pytest.mark.parametrize(
    ("leads_to", "location"),
    [
        ("/approvals?x=1", "/approvals?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\n/evil.example", "/"),
        ("", "/"),
    ],
)
async def test_the_login_leads_on_within_the_gateway_only(leads_to: str, location: str) -> None:
    """Ours: no open redirect."""
    house = House()
    answer = await house.log_in(house.browser(), {**RIGHT, "next": leads_to})
    assert answer.headers["Location"] == location


async def test_the_page_that_was_wanted_comes_after_the_login() -> None:
    """Ours: also after a slip."""
    house = House()
    client = house.browser()
    page = await (await client.get("/approvals?tool=%3Cx%3E")).get_data(as_text=True)
    assert 'name="next" value="/approvals?tool=%3Cx%3E"' in page
    slip = await house.log_in(client, {**WRONG, "next": "/approvals"})
    assert 'name="next" value="/approvals"' in await slip.get_data(as_text=True)


async def test_no_page_waits_for_the_thread_pool() -> None:
    """Ours: in a flood the owner would stand in that line behind everybody else."""
    loop, gone_on = asyncio.get_running_loop(), threading.Event()
    with ThreadPoolExecutor(1) as only:
        loop.set_default_executor(only)
        waiting = loop.run_in_executor(None, gone_on.wait)
        try:
            house = House()
            client = house.browser()
            async with asyncio.timeout(GUARD_S):
                assert (await house.log_in(client, WRONG)).status_code == 401
                assert (await house.log_in(client)).status_code == 303
                assert (await client.get("/")).status_code == 200
        finally:
            gone_on.set()
            await waiting
            loop.set_default_executor(ThreadPoolExecutor())
