"""Host, Origin and headers on every route there is, loopback or not, refusals included."""

import pytest

from gateway.answer_headers import ON_EVERY_ANSWER, hardened
from gateway.main import Gateway
from gateway.oauth.metadata import AUTHORIZATION_SERVER, PROTECTED_RESOURCE
from gateway.relay.http import Message
from gateway.routes import Room, find_room
from tests.reach.asking import Answered, ask
from tests.reach.conftest import PUBLIC
from tests.reach.walking import open_to_pages, routes

OWN, EVIL = "127.0.0.1:8080", "evil.example"
OWN_HOST = ("host", OWN)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "headers",
    [
        [("host", EVIL)],
        [("host", f"{EVIL}:8080")],
        [("host", OWN), ("host", EVIL)],
        [("host", OWN), ("host", OWN)],
        [("host", "")],
        [],
        [("host", f"{EVIL}@127.0.0.1")],
        [("host", EVIL), ("x-forwarded-host", OWN), ("forwarded", f"host={OWN}")],
    ],
    ids=lambda headers: "+".join(f"{name}={value}" for name, value in headers) or "none",
)
async def test_a_foreign_host_is_misdirected_everywhere(
    gateway: Gateway, method: str, headers: list[tuple[str, str]]
) -> None:
    """Checklist of gateways, row 1: rebound names reach nothing, whatever the method."""
    for path in routes(gateway):
        assert (await ask(gateway.app, path, *headers, method=method)).status == 421, path


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("origins", [["https://evil.example"], ["null"], [PUBLIC, "null"], [""]])
async def test_a_page_of_another_origin_is_refused_everywhere(
    gateway: Gateway, method: str, origins: list[str]
) -> None:
    """Checklist of gateways, row 1."""
    headers = [("host", OWN), *(("origin", origin) for origin in origins)]
    for path in routes(gateway) - open_to_pages():
        assert (await ask(gateway.app, path, *headers, method=method)).status == 403, path


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_the_routes_for_programs_of_all_origins_take_no_cookie(
    gateway: Gateway, origin: str
) -> None:
    """Checklist of gateways, row 1: programs in browsers sign in here; no cookie counts."""
    for path in open_to_pages():
        answer = await ask(gateway.app, path, ("host", OWN), ("origin", origin))
        assert answer.status not in (403, 421), path
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_documents_are_only_read(gateway: Gateway, method: str) -> None:
    """RFC 9110, section 15.5.6: what is there says how it can be asked, what is not is not."""
    body = b"{}"
    for path in (PROTECTED_RESOURCE, f"{PROTECTED_RESOURCE}/mcp", *AUTHORIZATION_SERVER):
        answer = await ask(gateway.app, path, OWN_HOST, method=method, body=body)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD"), path
    for path in ("/.well-known/none", "/.well-known//x", "/.well-known", "/.well-known/"):
        answer = await ask(gateway.app, path, OWN_HOST, method=method, body=body)
        assert answer.status in (404, 415), path


@pytest.mark.parametrize(
    "headers",
    [
        [("host", OWN)],
        [("host", "localhost")],
        [("host", "runner.example.org:8443")],
        [("host", OWN), ("origin", PUBLIC)],
        [("host", OWN), ("origin", f"http://{OWN}")],
        [("host", OWN), ("x-forwarded-host", EVIL), ("forwarded", f"host={EVIL}")],
    ],
    ids=lambda headers: "+".join(f"{name}={value}" for name, value in headers),
)
async def test_our_own_names_pass_everywhere(
    gateway: Gateway, headers: list[tuple[str, str]]
) -> None:
    """Checklist of gateways, row 1: the counterpart; what a stranger forwards is not even read."""
    for path in routes(gateway):
        assert (await ask(gateway.app, path, *headers)).status not in (403, 421), path


def lacking(answer: Answered) -> list[str]:
    """Return what an answer should say and does not."""
    said = {
        "x-content-type-options": {"nosniff"},
        "x-frame-options": {"DENY"},
        "referrer-policy": {"no-referrer", "same-origin"},
        "cache-control": {"no-store", "no-store, no-transform"},
    }
    wrong = [name for name, values in said.items() if answer.headers.get(name) not in values]
    policy = answer.headers.get("content-security-policy", "").split("; ")
    wanted = {"default-src 'none'", "frame-ancestors 'none'"}
    return [*wrong, *(wanted - set(policy))]


@pytest.mark.parametrize(
    "further",
    [
        [OWN_HOST],
        [("host", "evil.example")],
        [OWN_HOST, ("origin", "https://evil.example")],
        [OWN_HOST, ("authorization", "Bearer crt_wrong")],
    ],
    ids=["own", "foreign host", "foreign origin", "wrong token"],
)
async def test_every_answer_refuses_frames_sniffing_and_caches(
    gateway: Gateway, further: list[tuple[str, str]]
) -> None:
    """Security F: pages, JSON, what nobody may see, and what there is not."""
    statuses: set[int] = set()
    for path in routes(gateway):
        for method in METHODS:
            answer = await ask(gateway.app, path, *further, method=method, client="127.0.0.1")
            assert lacking(answer) == [], (method, path, answer.status)
            assert answer.status != 500, (method, path)
            statuses.add(answer.status)
    assert statuses & {401, 403, 421}


async def test_the_answers_to_the_command_line_are_no_exception(gateway: Gateway) -> None:
    """Security F."""
    token = ("authorization", f"Bearer {gateway.guard.make_local_token()}")
    statuses: set[int] = set()
    for path in routes(gateway):
        if find_room(path)[0] is Room.LOCAL:
            answer = await ask(gateway.app, path, OWN_HOST, token)
            assert lacking(answer) == [], path
            statuses.add(answer.status)
    assert statuses >= {200, 404}


async def test_a_room_may_say_something_else() -> None:
    """Ours: each header once, and what a room says itself counts."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    own = (b"Cache-Control", b"no-store, no-transform")
    answer = hardened(send)
    await answer({"type": "http.response.start", "status": 200, "headers": [own]})
    await answer({"type": "http.response.body", "body": b"x"})
    names = [name.lower() for name, _ in sent[0]["headers"]]
    assert own in sent[0]["headers"]
    assert sorted(names) == sorted(name.lower().encode() for name in ON_EVERY_ANSWER)
    assert sent[1] == {"type": "http.response.body", "body": b"x"}
