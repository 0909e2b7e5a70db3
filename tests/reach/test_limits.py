"""How often tokens and addresses may call."""

import json
from collections.abc import AsyncGenerator

import pytest

from gateway.auth.caller import Caller, CallerKind
from gateway.domain.token import Scope as Permission
from gateway.main import Gateway
from gateway.reach import buckets
from gateway.reach.buckets import Buckets
from gateway.reach.limits import FAILURES, CallerLimits
from tests.reach.asking import Answered, ask
from tests.reach.conftest import BASE, environment, open_gateway

FAR, OTHER, NEAR = "203.0.113.7", "203.0.113.8", "127.0.0.1"
PER_S = 3
BURST = PER_S * 10


class Clock:
    """Stands still until it is moved."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def caller(name: str, kind: CallerKind = CallerKind.TOKEN) -> Caller:
    """Return somebody with a token."""
    return Caller(kind, name, frozenset({Permission.RUN}))


def test_a_bucket_holds_its_burst_and_fills_again() -> None:
    """Ours: the wait that is told is the wait that is needed."""
    clock = Clock()
    bucket = Buckets(burst=3, every_s=2.0, monotonic=clock)
    assert [bucket.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]
    assert (bucket.wait_s("a"), bucket.wait_s("b"), bucket.take("b")) == (2.0, 0.0, 0.0)
    clock.now_s += 2.0
    assert [bucket.take("a") for _ in range(2)] == [0.0, 2.0]
    clock.now_s += 3600.0
    assert [bucket.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]


def test_who_is_refused_is_not_counted() -> None:
    """Ours: knocking does not make the wait longer."""
    clock = Clock()
    bucket = Buckets(burst=1, every_s=2.0, monotonic=clock)
    assert [bucket.take("a") for _ in range(1000)][-1] == 2.0


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: callers choose the keys."""
    monkeypatch.setattr(buckets, "MAX_KEYS", 3)
    bucket = Buckets(burst=1, every_s=60.0, monotonic=Clock())
    for key in "abcdef":
        assert bucket.take(key) == 0.0
    assert [bucket.wait_s(key) > 0 for key in "abcdef"] == [False] * 3 + [True] * 3


def test_tokens_and_addresses_are_counted_apart() -> None:
    """Issue 6: per token and per address; loopback, and the owner's own command line, are not."""
    limits = CallerLimits(token_per_s=1, address_per_s=2, monotonic=Clock())
    far, near = {"client": (FAR, 1)}, {"client": (NEAR, 1)}
    assert [limits.take(caller("a"), far) > 0 for _ in range(11)] == [False] * 10 + [True]
    assert [limits.take(caller("b"), far) > 0 for _ in range(10)] == [False] * 9 + [True]
    assert limits.take(caller("b"), {"client": (OTHER, 1)}) == 0.0
    assert [limits.take(caller("c"), near) > 0 for _ in range(11)] == [False] * 10 + [True]
    assert limits.take(caller("d"), near) == 0.0
    local = caller("local", CallerKind.LOCAL)
    assert not any(limits.take(local, near) for _ in range(100))


@pytest.mark.parametrize("client", [(NEAR, 1), ("::1", 1), ("::ffff:127.0.0.1", 1), None])
async def test_wrong_tokens_from_this_machine_hold_up_nobody(
    limited: Gateway, client: tuple[str, int] | None
) -> None:
    """Ours: it is also everybody behind a proxy that is not trusted; strangers elsewhere wait."""
    limits = CallerLimits(token_per_s=0, address_per_s=0, monotonic=Clock())
    for scope in ({"client": client}, {"client": (FAR, 1)}):
        for _ in range(FAILURES + 1):
            limits.note_failure(scope)
    assert limits.failed_wait_s({"client": client}) == 0.0
    assert limits.failed_wait_s({"client": (FAR, 1)}) > 0.0
    if client is not None:
        wrong = [
            (await post(limited, "/mcp", f"crt_wrong{n}", client[0])).status
            for n in range(FAILURES + 2)
        ]
        assert set(wrong) == {401}


def test_with_both_settings_0_nobody_is_limited() -> None:
    """Ours."""
    limits = CallerLimits(token_per_s=0, address_per_s=0, monotonic=Clock())
    assert not any(limits.take(caller("a"), {"client": (FAR, 1)}) for _ in range(10_000))


@pytest.fixture(scope="module")
async def limited(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gateway]:
    """A gateway where one token may call a few times."""
    asked = environment(tmp_path_factory.mktemp("limited")) | {"TOKEN_CALLS_PER_S": str(PER_S)}
    async with open_gateway(asked, BASE) as built:
        yield built


async def tokens(
    gateway: Gateway, method: str, path: str = "", body: object = None
) -> dict[str, str]:
    """Ask for something of the tokens as the command line does."""
    sent = json.dumps(body).encode()
    headers = (
        ("host", "127.0.0.1:8080"),
        ("authorization", f"Bearer {gateway.guard.make_local_token()}"),
        ("content-type", "application/json"),
        ("content-length", str(len(sent))),
    )
    made = await ask(gateway.app, f"/local/tokens{path}", *headers, method=method, body=sent)
    assert made.status in (200, 201), made.body
    return json.loads(made.body)


async def make_token(gateway: Gateway, name: str, server: str = "adder") -> str:
    """Return a new token."""
    wish = {"name": name, "scope": "run", "servers": [server]}
    return (await tokens(gateway, "POST", body=wish))["token"]


async def end_token(gateway: Gateway, value: str) -> None:
    """Revoke a token."""
    caller = await gateway.guard.caller(f"Bearer {value}")
    assert caller is not None
    await tokens(gateway, "DELETE", f"/{caller.id}")


async def post(gateway: Gateway, path: str, token: str, client: str = FAR) -> Answered:
    """Call an endpoint of MCP with something that is no message."""
    headers = (("host", "127.0.0.1:8080"), ("authorization", f"Bearer {token}"))
    return await ask(gateway.app, path, *headers, method="POST", body=b"?", client=client)


@pytest.mark.parametrize("path", ["/mcp", "/mcp/all", "/servers/adder/mcp"])
async def test_too_many_calls_are_answered_429_with_a_time(limited: Gateway, path: str) -> None:
    """Issue 6: with Retry-After, as a JSON-RPC error, and another token is not touched."""
    first, second = [await make_token(limited, f"{path}{n}") for n in (1, 2)]
    answers = [await post(limited, path, first) for _ in range(BURST + 1)]
    assert {each.status for each in answers[:-1]}.isdisjoint({429, 401})
    last = answers[-1]
    assert (last.status, last.headers["retry-after"]) == (429, "1")
    assert last.headers["content-type"] == "application/json"
    error = json.loads(last.body)["error"]
    assert error["code"] == -32000
    assert error["message"] == "More calls than this gateway takes at once; try again in 1 s."
    assert (await post(limited, path, second)).status != 429


async def test_wrong_tokens_are_limited_by_address_and_right_ones_go_on(limited: Gateway) -> None:
    """Issue 6: failed authentications; who uses a known token from there is not locked out."""
    used, unused, ended = [await make_token(limited, f"known {n}") for n in (1, 2, 3)]
    assert (await post(limited, "/mcp/all", used)).status not in (401, 429)
    statuses = [(await post(limited, "/mcp", f"crt_wrong{n}")).status for n in range(FAILURES + 2)]
    assert statuses == [401] * FAILURES + [429] * 2
    refused = await post(limited, "/mcp", "cra_wrong")
    assert (refused.status, refused.headers["retry-after"]) == (429, "3")
    assert (await post(limited, "/mcp", "crt_wrong", OTHER)).status == 401
    await end_token(limited, ended)
    assert (await post(limited, "/mcp/all", ended)).status == 429
    for token in (used, unused):
        assert (await post(limited, "/mcp/all", token)).status not in (401, 429)


async def test_asking_without_a_token_is_no_failure(limited: Gateway) -> None:
    """Ours: it is how clients learn where to sign in, and hosted ones share addresses."""
    host = ("host", "127.0.0.1:8080")
    answers = [await ask(limited.app, "/mcp", host, client="203.0.113.9") for _ in range(100)]
    assert {each.status for each in answers} == {401}
