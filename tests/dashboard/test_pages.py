"""The routes as a browser meets them: who gets in, what each answer carries."""

import asyncio
from dataclasses import replace

import pytest
from quart import typing as quart_typing

from gateway.dashboard.headers import SECURITY_HEADERS
from gateway.dashboard.sessions import LINK_LIFE_S, SESSION_LIFE_S
from tests.dashboard.parts import RUN, SNAPSHOT, Shown

CANARY = "<script>alert(1)</script>\"'&\u202e"
PUBLIC = {"Host": "runner.example.org"}


async def sign_in(shown: Shown) -> quart_typing.TestClientProtocol:
    """Return a client with an open session."""
    client = shown.app.test_client()
    answer = await client.get("/login", query_string={"key": shown.sessions.issue_link_key()})
    assert answer.status_code == 303
    return client


async def test_page_without_a_session_says_how_to_get_a_link() -> None:
    """Ours: a stranger learns the command and nothing else."""
    answer = await Shown().app.test_client().get("/")
    text = await answer.get_data(as_text=True)
    assert answer.status_code == 401
    assert "./claude-runner dashboard-link" in text
    assert "email" not in text


async def test_stream_without_a_session_is_refused() -> None:
    """Ours: the stream needs what the page needs."""
    answer = await Shown().app.test_client().get("/events")
    assert answer.status_code == 401


async def test_link_opens_an_http_only_session() -> None:
    """Ours: the cookie is out of reach of scripts; other sites may lead here, not post here."""
    shown = Shown()
    client = shown.app.test_client()
    answer = await client.get("/login", query_string={"key": shown.sessions.issue_link_key()})
    cookie = answer.headers["Set-Cookie"]
    assert answer.headers["Location"] == "/"
    assert cookie.startswith("claude-runner=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie
    assert (await client.get("/")).status_code == 200


async def test_cookie_is_secure_and_bound_to_the_host_behind_https() -> None:
    """Ours: under PUBLIC_URL the browser is told what plain loopback cannot promise."""
    shown = Shown()
    answer = await shown.app.test_client().get(
        "/login", query_string={"key": shown.sessions.issue_link_key()}, headers=PUBLIC
    )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-claude-runner=")
    assert "Secure" in cookie
    assert "Strict-Transport-Security" in answer.headers


async def test_link_works_once() -> None:
    """Ours: whoever finds the link afterwards is too late."""
    shown = Shown()
    key = shown.sessions.issue_link_key()
    client = shown.app.test_client()
    assert (await client.get("/login", query_string={"key": key})).status_code == 303
    second = await shown.app.test_client().get("/login", query_string={"key": key})
    assert second.status_code == 401


async def test_link_ends_after_ten_minutes() -> None:
    """Ours."""
    shown = Shown()
    key = shown.sessions.issue_link_key()
    shown.clock.now_s += LINK_LIFE_S
    answer = await shown.app.test_client().get("/login", query_string={"key": key})
    assert answer.status_code == 401


@pytest.mark.parametrize("key", ["", "x", "\u00e9\udcff", "a" * 5000])
async def test_wrong_key_is_refused(key: str) -> None:
    """Ours: whatever the key is made of."""
    answer = (
        await Shown()
        .app.test_client()
        .get("/login", query_string={"key": key.encode("utf-8", "replace").decode()})
    )
    assert answer.status_code == 401


async def test_session_ends_after_twelve_hours() -> None:
    """Ours."""
    shown = Shown()
    client = await sign_in(shown)
    shown.clock.now_s += SESSION_LIFE_S
    assert (await client.get("/")).status_code == 401


async def test_session_id_of_the_visitor_is_never_adopted() -> None:
    """Ours: no session fixation."""
    shown = Shown()
    client = shown.app.test_client()
    client.set_cookie("localhost", "claude-runner", "chosen")
    await client.get("/login", query_string={"key": shown.sessions.issue_link_key()})
    assert not shown.sessions.is_open("chosen")


async def test_logout_ends_the_session_on_the_server() -> None:
    """Ours: a copied cookie is worth nothing afterwards."""
    shown = Shown()
    client = await sign_in(shown)
    assert client.cookie_jar is not None
    cookie = next(iter(client.cookie_jar)).value or ""
    answer = await client.post("/logout", headers={"Origin": "http://localhost"})
    assert answer.status_code == 303
    assert not shown.sessions.is_open(cookie)


async def test_logout_ends_an_open_stream() -> None:
    """Ours: a stream needs its session for as long as it lasts."""
    shown = Shown()
    client = await sign_in(shown)
    async with asyncio.timeout(5), client.request("/events") as connection:
        await connection.send_complete()
        first = await connection.receive()
        await client.post("/logout", headers={"Origin": "http://localhost"})
        shown.rename("secret")
        shown.dashboard.live.mark_changed()
    assert b"event: health" in first
    rest = await (await connection.as_response()).get_data(as_text=True)
    assert "secret" not in rest


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"},
    ],
)
async def test_logout_from_elsewhere_is_refused(headers: dict[str, str]) -> None:
    """Ours: no state changes without proof that our page asked."""
    shown = Shown()
    client = await sign_in(shown)
    assert (await client.post("/logout", headers=headers)).status_code == 403
    assert (await client.get("/")).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.1"])
async def test_foreign_host_is_misdirected(host: str) -> None:
    """Ours: a rebound name reaches nothing, also not the login."""
    shown = Shown()
    answer = await shown.app.test_client().get(
        "/login",
        query_string={"key": shown.sessions.issue_link_key()},
        headers={"Host": host},
    )
    assert answer.status_code == 421


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:1", "[::1]:8080", "LOCALHOST", "runner.example.org"]
)
async def test_own_names_are_answered(host: str) -> None:
    """Ours: loopback under any port, and PUBLIC_URL."""
    answer = await Shown().app.test_client().get("/", headers={"Host": host})
    assert answer.status_code == 401


async def test_foreign_origin_is_refused_on_every_route() -> None:
    """Ours: also where nothing would change."""
    client = await sign_in(Shown())
    for path in ("/", "/events", "/static/live.js", "/nothing"):
        answer = await client.get(path, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 401),
        ("GET", "/login", 401),
        ("GET", "/nothing", 404),
        ("POST", "/", 405),
        ("GET", "/static/live.js", 200),
        ("GET", "/static/../app.py", 404),
        ("POST", "/logout", 401),
    ],
)
async def test_every_answer_carries_the_security_headers(
    method: str, path: str, status: int
) -> None:
    """Ours: errors and static files too."""
    client = Shown().app.test_client()
    answer = await (client.get(path) if method == "GET" else client.post(path))
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


async def test_failure_inside_a_page_shows_no_internals() -> None:
    """Ours: the traceback goes to the log."""
    shown = Shown()
    client = await sign_in(shown)
    shown.snapshots = (replace(SNAPSHOT, state="no such state: secret-path"),)  # type: ignore[arg-type]
    shown.app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = await client.get("/")
    text = await answer.get_data(as_text=True)
    assert answer.status_code == 500
    assert "secret-path" not in text
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


async def test_overview_shows_the_health_of_each_server() -> None:
    """Ours: the row of the issue, in words."""
    client = await sign_in(Shown())
    text = await (await client.get("/")).get_data(as_text=True)
    cells = (
        "email",
        "dynamic",
        "ready",
        "strong",
        ">3<",
        "4242",
        "1 min",
        ">17<",
        "run_a",
        "3 s",
        "2.5 %",
        "18.0 MiB",
        "12.2 ms",
        '<polyline points="0.0,16.0 30.0,8.0 60.0,0.0"/>',
    )
    assert [cell for cell in cells if cell not in text] == []
    assert "$0.0123" in text


async def test_hostile_text_is_escaped() -> None:
    """Ours: names, reasons and errors are other people's text."""
    shown = Shown(
        snapshots=(replace(SNAPSHOT, name=CANARY, reason=CANARY),),
        runs=(replace(RUN, id=CANARY, job_id=CANARY, error=CANARY),),
    )
    client = await sign_in(shown)
    text = await (await client.get("/")).get_data(as_text=True)
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 5


async def test_empty_gateway_says_what_to_do() -> None:
    """Ours."""
    client = await sign_in(Shown(snapshots=(), runs=()))
    text = await (await client.get("/")).get_data(as_text=True)
    assert "No servers yet" in text
    assert "No runs yet" in text
