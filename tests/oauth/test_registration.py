"""Clients that register themselves: which, how many, how fast."""

import json

import httpx2
import pytest

from gateway.oauth.errors import OAuthError
from gateway.oauth.newcomers import MAX_UNUSED, PRUNE_EVERY, Newcomers
from gateway.oauth.redirects import is_acceptable, is_registered
from gateway.oauth.registration import (
    ADDRESS_BURST,
    ADDRESS_EVERY_S,
    RATE,
    RATE_S,
    Registrations,
)
from tests.demonstrations import Counts, Demonstrations
from tests.oauth.parts import CLAUDE_CALLBACK, Program
from tests.oauth.stage import BASE, Stage

GOOD = (
    CLAUDE_CALLBACK,
    "https://vscode.dev/redirect",
    "http://127.0.0.1:33418/",
    "http://[::1]/callback",
    "http://localhost:1/callback?x=1",
    "cursor://anysphere.cursor-mcp/oauth/callback",
)
BAD = (
    "",
    "javascript:alert(1)",
    "data:text/html,x",
    "http://example.org/callback",
    "http://127.0.0.1.example.org/",
    "http://localhost.example.org/",
    "https://",
    "https:///callback",
    "https://user:password@example.org/",
    "https://example.org/#fragment",
    "https://example.org/ x",
    "https://example.org\\@evil.example/",
    "https://example.org:99999/",
    "https://example.org/;script-src",
    "https://exämple.org/",
    "file:///etc/passwd",
    "unknown-app://callback",
    "https://example.org/" + "x" * 1000,
)


@pytest.mark.parametrize("uri", GOOD)
def test_an_address_that_clients_use_may_be_registered(uri: str) -> None:
    """B.1."""
    assert is_acceptable(uri)


@pytest.mark.parametrize("uri", BAD)
async def test_any_other_address_is_refused(stage: Stage, uri: str) -> None:
    """Security E 7; nothing is stored."""
    assert not is_acceptable(uri)
    program = stage.program()
    answer = await program.register(redirect_uris=[CLAUDE_CALLBACK, uri])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


def test_addresses_are_compared_exactly_but_for_ports_of_loopback() -> None:
    """RFC 8252, section 7.3."""
    registered = ("http://localhost/callback", "https://a.example/x")
    assert is_registered("http://localhost:5000/callback", registered)
    for wrong in (
        "http://127.0.0.1:5000/callback",
        "http://localhost:5000/callback/",
        "http://localhost:5000/callback?x",
        "https://localhost:5000/callback",
        "https://a.example:444/x",
        "https://a.example/X",
    ):
        assert not is_registered(wrong, registered)


async def test_a_client_is_told_what_it_is(stage: Stage) -> None:
    """RFC 7591, section 3.2.1; without a method it gets a secret."""
    program = stage.program()
    public = (await program.register()).json()
    assert "client_secret" not in public
    metadata = {"redirect_uris": [CLAUDE_CALLBACK]}
    answer = await stage.http.post(f"{BASE}/register", json=metadata)
    made = answer.json()
    assert answer.status_code == 201
    assert made["token_endpoint_auth_method"] == "client_secret_basic"
    assert made["client_secret_expires_at"] == 0
    wrong = await stage.http.post(
        f"{BASE}/token", data={"client_id": made["client_id"], "client_secret": "wrong"}
    )
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 60_000,
        json.dumps({}).encode(),
        json.dumps({"redirect_uris": CLAUDE_CALLBACK}).encode(),
        json.dumps({"redirect_uris": [1]}).encode(),
        json.dumps({"redirect_uris": [CLAUDE_CALLBACK] * 11}).encode(),
        json.dumps(
            {"redirect_uris": [CLAUDE_CALLBACK], "token_endpoint_auth_method": "private_key_jwt"}
        ).encode(),
        json.dumps({"redirect_uris": [CLAUDE_CALLBACK], "grant_types": ["implicit"]}).encode(),
        json.dumps({"redirect_uris": [CLAUDE_CALLBACK], "token_endpoint_auth_method": {}}).encode(),
        b"x" * 70_000,
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_a_registration_that_makes_no_sense_is_an_error_in_json(
    stage: Stage, body: bytes
) -> None:
    """RFC 7591, section 3.2.2."""
    answer = await stage.http.post(f"{BASE}/register", content=body)
    assert answer.status_code in (400, 413)
    assert set(answer.json()) == {"error", "error_description"}


async def test_registrations_have_a_rate(stage: Stage) -> None:
    """Security E 7: of all together, which alone counts for this machine and an unknown proxy."""
    answers = [(await stage.program().register()).status_code for _ in range(RATE + 1)]
    assert answers == [201] * RATE + [429]


async def test_an_address_that_registers_too_often_leaves_the_others_theirs(stage: Stage) -> None:
    """Ours: a stranger's flood does not keep the owner from adding a connector."""

    async def register(address: str) -> int:
        transport = httpx2.ASGITransport(stage.transport.app, client=(address, 50000))
        async with httpx2.AsyncClient(transport=transport) as http:
            return (await Program(BASE, http).register()).status_code

    answers = [await register("203.0.113.7") for _ in range(RATE + 1)]
    assert answers == [201] * ADDRESS_BURST + [429] * (RATE + 1 - ADDRESS_BURST)
    assert await register("203.0.113.8") == 201
    answers = [await register(f"2001:db8::{number}") for number in range(ADDRESS_BURST + 1)]
    assert answers == [201] * ADDRESS_BURST + [429]
    assert await register("2001:db8:0:1::1") == 201


@pytest.mark.timeout(300)
async def test_ten_thousand_registrations_do_not_fill_the_database(
    stage: Stage, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue 6, Shows: at the highest rate, for hours; who was approved stays."""
    program = stage.program()
    await program.register()
    async with stage.browser() as browser:
        await browser.consent(program.authorize_url())
    count = counts(MAX_UNUSED + 2 * PRUNE_EVERY, 10_000)
    now = 0.0
    registrations = Registrations(Newcomers(stage.store.oauth_clients), lambda: now)
    ids: list[str] = []
    for _ in range(count):
        now += RATE_S / RATE + 0.01
        made = await registrations.register({"redirect_uris": [CLAUDE_CALLBACK]}, None)
        ids.append(made["client_id"])
    stored = {client.id for client in await stage.store.oauth_clients.all()}
    left = [each for each in ids if each in stored]
    assert left == ids[-len(left) :]
    assert MAX_UNUSED <= len(left) < MAX_UNUSED + PRUNE_EVERY
    assert program.id in stored
    demonstrations.record(
        "Clients that register themselves do not fill the database", count, f"{len(left)} are kept"
    )


async def test_too_many_at_once_are_refused_and_told_when_to_come_back(stage: Stage) -> None:
    """Ours: a minute later there is room again."""
    now = 0.0
    registrations = Registrations(Newcomers(stage.store.oauth_clients), lambda: now)
    asked = {"redirect_uris": [CLAUDE_CALLBACK]}

    async def wait_s(block: str | None) -> int | None:
        with pytest.raises(OAuthError) as refused:
            await registrations.register(asked, block)
        assert refused.value.status == 429
        return refused.value.retry_after_s

    for _ in range(ADDRESS_BURST):
        await registrations.register(asked, "203.0.113.7")
    assert await wait_s("203.0.113.7") == ADDRESS_EVERY_S
    for _ in range(RATE - ADDRESS_BURST):
        await registrations.register(asked, None)
    assert await wait_s(None) == RATE_S
    now = RATE_S
    for block in (None, "203.0.113.7"):
        assert (await registrations.register(asked, block))["client_id"]
