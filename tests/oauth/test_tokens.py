"""Codes and tokens: used once, rotated, ended, and never stored as they are."""

import base64
import hashlib
from pathlib import Path

import pytest

from gateway.auth.access_tokens import Fingerprints
from gateway.auth.run_tokens import token_hash
from gateway.domain.token import Scope
from gateway.oauth.authorization import Asked, Asker
from gateway.oauth.clients import Configured
from gateway.oauth.grants import (
    ACCESS_LIFE_S,
    CODE_LIFE_S,
    GRACE_S,
    KEPT_S,
    MAX_CODES,
    REFRESH_LIFE_S,
    Grants,
)
from gateway.secret import Secret
from tests.oauth.parts import Program, signed_in
from tests.oauth.stage import BASE, Stage, open_stage


async def approved(stage: Stage) -> tuple[Program, str]:
    """Return a client and the code that it was given."""
    program = stage.program()
    await program.register()
    async with stage.browser() as browser:
        return program, (await browser.consent(program.authorize_url()))["code"]


async def is_valid(stage: Stage, access: str) -> bool:
    """Return whether the guard would let an access token in."""
    return await stage.server.access_tokens.find(access) is not None


async def test_a_code_that_is_used_twice_ends_what_it_gave(stage: Stage) -> None:
    """OAuth 2.1, section 4.1.3: tokens that are known already end at once."""
    program, code = await approved(stage)
    tokens = (await program.exchange(code)).json()
    assert await is_valid(stage, tokens["access_token"])
    again = await program.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not await is_valid(stage, tokens["access_token"])
    assert (await program.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_token_is_known_from_its_birth_to_its_own_end(stage: Stage) -> None:
    """Ours: who shows wrong tokens beside it does not keep it from being known."""
    programs = [stage.program() for _ in range(2)]
    async with stage.browser() as browser:
        for each in programs:
            await each.register()
        ended, other = [(await signed_in(each, browser))["access_token"] for each in programs]
    assert (await programs[0].token("/revoke", token=ended)).status_code == 200
    find = stage.server.access_tokens.find
    assert await find(ended, ask_store=False) is None
    assert await find(other, ask_store=False) is not None


async def test_a_grant_that_came_while_its_client_was_removed_ends_too(stage: Stage) -> None:
    """Ours: of the clients' tokens nothing stays known, of others' everything."""
    gone, other = stage.program(), stage.program()
    async with stage.browser() as browser:
        for each in (gone, other):
            await each.register()
        ended, kept = [(await signed_in(each, browser))["access_token"] for each in (gone, other)]
    await stage.store.oauth_clients.remove(gone.id)
    stage.server.access_tokens.client_ended(gone.id, ())
    find = stage.server.access_tokens.find
    assert await find(ended, ask_store=False) is None
    assert await find(kept, ask_store=False) is not None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "https://claude.com/api/mcp/auth_callback"}, "invalid_grant"),
        ({"code": "crc_other"}, "invalid_grant"),
        ({"resource": f"{BASE}/servers/x/mcp"}, "invalid_target"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ],
    ids=str,
)
async def test_a_code_is_exchanged_with_everything_it_was_given_for(
    stage: Stage, change: dict[str, str], error: str
) -> None:
    """RFC 7636, RFC 8707; a request that is refused leaves the code good."""
    program, code = await approved(stage)
    refused = await program.exchange(code, **change)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert (await program.exchange(code)).status_code == 200


async def test_a_code_is_good_for_a_minute_and_for_its_client(stage: Stage) -> None:
    """B.2, 4."""
    program, code = await approved(stage)
    other = stage.program()
    await other.register()
    other.verifier = program.verifier
    assert (await other.exchange(code)).json()["error"] == "invalid_grant"
    stage.clock.pass_s(CODE_LIFE_S)
    assert (await program.exchange(code)).json()["error"] == "invalid_grant"


async def test_an_old_refresh_token_ends_everything_after_its_grace(stage: Stage) -> None:
    """B.2, 8: hosted clients repeat a refresh; a thief comes later."""
    program, code = await approved(stage)
    old = (await program.exchange(code)).json()["refresh_token"]
    first = (await program.refresh(old)).json()
    stage.clock.pass_s(GRACE_S - 1)
    second = await program.refresh(old)
    assert second.status_code == 200
    assert await is_valid(stage, first["access_token"])
    stage.clock.pass_s(2)
    assert (await program.refresh(old)).json()["error"] == "invalid_grant"
    for tokens in (first, second.json()):
        assert not await is_valid(stage, tokens["access_token"])
        refused = await program.refresh(tokens["refresh_token"])
        assert refused.json()["error"] == "invalid_grant"


async def test_a_refresh_keeps_endpoint_and_scopes_and_may_have_fewer(stage: Stage) -> None:
    """B.2, 5; RFC 6749, section 6."""
    program, code = await approved(stage)
    tokens = (await program.exchange(code)).json()
    fewer = (await program.refresh(tokens["refresh_token"], scope="read")).json()
    assert fewer["scope"] == "read"
    more = (await program.refresh(fewer["refresh_token"], scope="read run admin")).json()
    assert more["scope"] == "read run"
    access = await stage.server.access_tokens.find(more["access_token"])
    assert access is not None
    assert access.resource == f"{BASE}/mcp"
    wrong = await program.refresh(more["refresh_token"], resource=f"{BASE}/mcp/all")
    assert wrong.json()["error"] == "invalid_target"


async def test_tokens_last_a_day_and_ninety_days(stage: Stage) -> None:
    """Issue 6, What 1."""
    program, code = await approved(stage)
    tokens = (await program.exchange(code)).json()
    assert tokens["expires_in"] == ACCESS_LIFE_S == 24 * 3600
    assert await is_valid(stage, tokens["access_token"])
    stage.clock.pass_s(ACCESS_LIFE_S)
    assert not await is_valid(stage, tokens["access_token"])
    stage.clock.pass_s(REFRESH_LIFE_S - ACCESS_LIFE_S - 1)
    newer = await program.refresh(tokens["refresh_token"])
    assert newer.status_code == 200
    stage.clock.pass_s(REFRESH_LIFE_S)
    late = await program.refresh(newer.json()["refresh_token"])
    assert late.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_a_client_can_end_its_tokens(stage: Stage, kind: str) -> None:
    """RFC 7009: at once and together; of another client's tokens it learns nothing."""
    program, code = await approved(stage)
    tokens = (await program.exchange(code)).json()
    other = stage.program()
    await other.register()
    for client, remains in ((other, True), (program, False)):
        form = {"client_id": client.id, "token": tokens[kind]}
        answer = await stage.http.post(f"{BASE}/revoke", data=form)
        assert (answer.status_code, answer.json()) == (200, {})
        assert await is_valid(stage, tokens["access_token"]) is remains


async def test_codes_are_bounded(stage: Stage) -> None:
    """Issue 6, Shows: a client that sends the owner here for ever fills nothing."""
    program, first = await approved(stage)
    tokens = (await program.exchange(first)).json()
    client = await stage.store.oauth_clients.get(program.id)
    assert client is not None
    table = stage.store.oauth_grants
    grants = Grants(table, Fingerprints(b"key"), stage.server.access_tokens, stage.clock)
    asker = Asker(client, program.redirect, None, BASE)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(program.verifier.encode()).digest())
    scopes = frozenset({Scope.READ})
    asked = Asked(challenge.decode().rstrip("="), f"{BASE}/mcp", scopes, scopes)
    made: list[str] = []
    for _ in range(MAX_CODES + 1):
        stage.clock.pass_s(0.01)
        made.append(await grants.approve(asker, asked, scopes))
    # The one that was exchanged, and as many as are waiting.
    assert len(await table.of_client(client.id)) == 1 + MAX_CODES
    assert (await program.exchange(made[0])).json()["error"] == "invalid_grant"
    assert (await program.exchange(made[-1])).status_code == 200
    assert await is_valid(stage, tokens["access_token"])


async def test_a_copied_database_holds_none_of_it(stage: Stage) -> None:
    """Issue 6, Shows: neither the file nor its log."""
    program = stage.program()
    await program.register(token_endpoint_auth_method="client_secret_post")
    async with stage.browser() as browser:
        told = await browser.consent(program.authorize_url())
        tokens = (await program.exchange(told["code"])).json()
    assert program.secret is not None
    values = (told["code"], tokens["access_token"], tokens["refresh_token"], program.secret)
    files = [path.read_bytes() for path in stage.path.parent.glob("jobs.db*")]
    assert len(files) > 1
    for value in values:
        for content in files:
            assert value.encode() not in content
            # A hash without the key could be looked for in a list of guesses.
            assert value.startswith("crs_") or token_hash(value).encode() not in content


async def test_another_key_signs_everyone_out(tmp_path: Path) -> None:
    """Issue 6, What 1: OAUTH_SECRET_KEY."""
    async with open_stage(tmp_path, key=b"one") as stage:
        program = stage.program()
        await program.register()
        async with stage.browser() as browser:
            tokens = await signed_in(program, browser)
        assert await is_valid(stage, tokens["access_token"])
    for key, valid in ((b"two", False), (b"one", True)):
        async with open_stage(tmp_path, key=key) as stage:
            assert await is_valid(stage, tokens["access_token"]) is valid


async def test_what_ended_is_forgotten_a_day_later(stage: Stage) -> None:
    """Ours: the tables do not grow with time; what is in use stays."""
    program, code = await approved(stage)
    tokens = (await program.exchange(code)).json()
    unused = stage.program()
    await unused.register()
    stage.clock.pass_s(KEPT_S + CODE_LIFE_S + 1)
    await stage.server.prune()
    assert await stage.store.oauth_clients.get(unused.id) is None
    assert await stage.store.oauth_clients.get(program.id) is not None
    newer = await program.refresh(tokens["refresh_token"])
    assert newer.status_code == 200
    stage.clock.pass_s(REFRESH_LIFE_S + KEPT_S + 1)
    await stage.server.prune()
    await stage.server.prune()
    assert await stage.store.oauth_clients.get(program.id) is None


async def test_the_settings_client_needs_the_settings_secret(tmp_path: Path) -> None:
    """Issue 6, What 1: another one in the settings ends what the old one got."""
    configured = Configured("claude", Secret("a-long-enough-secret"))
    async with open_stage(tmp_path, configured=configured) as stage:
        assert await stage.server.preregister() is None
        program = stage.program()
        program.id, program.secret = "claude", "a-long-enough-secret"
        async with stage.browser() as browser:
            tokens = await signed_in(program, browser)
        for secret in ("wrong", None):
            program.secret = secret
            refused = await program.refresh(tokens["refresh_token"])
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    async with open_stage(tmp_path) as stage:
        made = await stage.server.preregister()
        assert made is not None
        assert await stage.server.preregister() is None
        assert not await is_valid(stage, tokens["access_token"])
        refused = await stage.program().token(client_id="claude", grant_type="refresh_token")
        assert refused.json()["error"] == "invalid_client"
