"""The routes as a browser meets them: who gets in, what each answer carries."""

import asyncio
from dataclasses import replace

import pytest

from gateway.dashboard.assets import FOREVER
from gateway.dashboard.headers import SECURITY_HEADERS
from gateway.dashboard.links import LINK_LIFE_S
from gateway.dashboard.overview import HEALTH
from gateway.dashboard.sessions import SESSION_LIFE_S
from tests.dashboard.parts import RUN, SNAPSHOT, Shown, open_link, send, sign_in

CANARY = "<script>alert(1)</script>\"'&\u202e"
FOLLOWED = "/events?live=attention&live=figures&live=servers&live=runs"
PUBLIC = {"Host": "runner.example.org"}


async def test_page_without_a_session_says_how_to_get_a_link() -> None:
    """Ours: a stranger learns the command and nothing else."""
    answer = await Shown().app.test_client().get("/")
    text = await answer.get_data(as_text=True)
    assert answer.status_code == 401
    assert "./claude-runner dashboard link" in text
    assert "email" not in text


async def test_stream_without_a_session_is_refused() -> None:
    """Ours: the stream needs what the page needs."""
    answer = await Shown().app.test_client().get("/events")
    assert answer.status_code == 401


async def test_link_opens_an_http_only_session() -> None:
    """Ours: the cookie is out of reach of scripts; other sites may lead here, not post here."""
    shown = Shown()
    client = shown.app.test_client()
    answer = await open_link(shown, client)
    cookie = answer.headers["Set-Cookie"]
    assert answer.headers["Location"] == "/"
    assert cookie.startswith("claude-runner=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie
    assert (await client.get("/")).status_code == 200


async def test_link_is_spent_by_its_button_once() -> None:
    """Ours: what only looks at addresses, as mail programs do, spends none; the next is late."""
    shown = Shown()
    key = shown.sessions.links.issue()
    client = shown.app.test_client()
    page = f"/login?key={key}"
    statuses = [(await client.get(page)).status_code for _ in range(3)]
    statuses += [
        (await send(client, "/login", {"key": key}, page=page)).status_code for _ in range(2)
    ]
    assert statuses == [200, 200, 200, 303, 401]


async def test_link_ends_after_ten_minutes() -> None:
    """Ours."""
    shown = Shown()
    key = shown.sessions.links.issue()
    shown.clock.now_s += LINK_LIFE_S
    answer = await send(shown.app.test_client(), "/login", {"key": key}, page="/login?key=x")
    assert answer.status_code == 401


@pytest.mark.parametrize("key", ["", "x", "\u00e9\ufffd", "a" * 5000])
async def test_wrong_key_is_refused(key: str) -> None:
    """Ours: whatever the key is made of."""
    answer = await send(Shown().app.test_client(), "/login", {"key": key}, page="/login?key=x")
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
    await open_link(shown, client)
    assert not shown.sessions.is_open("chosen")


async def test_logout_ends_the_session_on_the_server() -> None:
    """Ours: a copied cookie is worth nothing afterwards."""
    shown = Shown()
    client = await sign_in(shown)
    assert client.cookie_jar is not None
    cookie = next(iter(client.cookie_jar)).value or ""
    answer = await send(client, "/logout", {}, page="/")
    assert answer.status_code == 303
    assert not shown.sessions.is_open(cookie)


async def test_logout_ends_an_open_stream() -> None:
    """Ours: a stream needs its session for as long as it lasts."""
    shown = Shown()
    client = await sign_in(shown)
    async with asyncio.timeout(5), client.request(FOLLOWED) as connection:
        await connection.send_complete()
        first = await connection.receive()
        await send(client, "/logout", {}, page="/")
        shown.rename("secret")
        shown.clock.now_s += 1
        shown.live.health_changed(*HEALTH)
    assert first.startswith(b"retry: ")
    rest = await (await connection.as_response()).get_data(as_text=True)
    assert "secret" not in rest


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.1"])
async def test_foreign_host_is_misdirected(host: str) -> None:
    """Ours: a rebound name reaches nothing, also not the login."""
    shown = Shown()
    answer = await shown.app.test_client().get(
        "/login",
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
        ("GET", "/login", 200),
        ("GET", "/nothing", 404),
        ("POST", "/", 405),
        ("GET", "/static/live.js", 404),
        ("GET", "/static/../app.py", 404),
        ("POST", "/logout", 415),
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


async def test_files_of_pages_are_kept_until_another_version_of_the_gateway() -> None:
    """Ours: their address says which version; another one's is not there."""
    shown = Shown()
    client = shown.app.test_client()
    path = shown.app.jinja_env.globals["asset"]("style.css")
    answer = await client.get(path)
    own = {"Cache-Control": FOREVER}
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == {**SECURITY_HEADERS, **own}
    assert answer.content_type == "text/css; charset=utf-8"
    text = await (await client.get("/login")).get_data(as_text=True)
    assert f'<link rel="stylesheet" href="{path}">' in text
    digest = path.split("/")[2]
    other = await client.get(path.replace(digest, "0" * len(digest)))
    assert (other.status_code, other.headers["Cache-Control"]) == (404, "no-store")


async def test_the_navigation_marks_the_page_that_is_open() -> None:
    """Ours: on every page of the owner, and on no stranger's."""
    client = await sign_in(Shown())
    page = await (await client.get("/approvals")).get_data(as_text=True)
    assert page.count('<a href="/approvals" aria-current="page">') == 2, "desktop and phone"
    assert page.count("aria-current") == 2
    assert "<nav" not in await (await Shown().app.test_client().get("/")).get_data(as_text=True)


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
        ">17 <",
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
        ran=(replace(RUN, id=CANARY, job_id=CANARY, error=CANARY),),
    )
    client = await sign_in(shown)
    text = await (await client.get("/")).get_data(as_text=True)
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 6


async def test_empty_gateway_says_what_to_do() -> None:
    """Ours."""
    client = await sign_in(Shown(snapshots=(), ran=()))
    text = await (await client.get("/")).get_data(as_text=True)
    assert "No servers yet" in text
    assert "No runs yet" in text
