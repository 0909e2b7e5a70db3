"""A scripted copy of claude.ai's steps, and what other clients do, from the first 401 to a call."""

import base64
import json
from contextlib import suppress
from typing import Any

import anyio
import httpx2
import pytest

from tests.oauth.conftest import House
from tests.oauth.parts import CLAUDE_CALLBACK, INITIALIZE, JSON_RPC, Browser, Program, signed_in
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(120)

KEYS = {"access_token", "token_type", "expires_in", "refresh_token", "scope"}


async def test_the_steps_of_claude_ai(house: House, browser: Browser, program: Program) -> None:
    """Issue 6, Shows: double registration, probes, no `scope`, a refresh that is repeated."""
    base, http = house.live.url, program.http
    for method in ("HEAD", "GET", "POST"):
        probe = await http.request(method, f"{base}/mcp")
        assert probe.status_code == 401
        named = f'resource_metadata="{base}/.well-known/oauth-protected-resource/mcp"'
        assert named in probe.headers["WWW-Authenticate"]
    known = f"{base}/.well-known"
    for document in ("oauth-protected-resource/mcp", "oauth-authorization-server"):
        assert (await http.head(f"{known}/{document}")).status_code == 200
    resource = (await http.get(f"{known}/oauth-protected-resource/mcp")).json()
    server = (await http.get(f"{known}/oauth-authorization-server")).json()
    assert resource["resource"] == f"{base}/mcp"
    assert resource["authorization_servers"] == [server["issuer"]] == [base]

    assert (await program.register()).status_code == 201
    first_id = program.id
    assert (await program.register()).status_code == 201
    assert program.id != first_id
    told = await browser.consent(program.authorize_url(resource=resource["resource"]))
    assert (told["state"], told["iss"]) == ("st", base)
    tokens = (await program.exchange(told["code"])).json()
    assert (set(tokens), tokens["scope"]) == (KEYS, "read run")

    assert (await program.post(tokens["access_token"])).status_code == 200
    first = await program.refresh(tokens["refresh_token"])
    again = await program.refresh(tokens["refresh_token"])
    assert (first.status_code, again.status_code) == (200, 200)
    both: list[httpx2.Response] = []

    async def refresh() -> None:
        both.append(await program.refresh(again.json()["refresh_token"]))

    # Its backends do not wait for each other.
    async with anyio.create_task_group() as backends:
        backends.start_soon(refresh)
        backends.start_soon(refresh)
    for answer in (first, again, *both):
        assert (answer.status_code, answer.json()["scope"]) == (200, "read run")
        assert (await program.post(answer.json()["access_token"])).status_code == 200
    assert (await program.post(tokens["access_token"])).status_code == 200
    stale = await program.post("cra_of_another_day")
    assert stale.status_code == 401
    assert 'error="invalid_token"' in stale.headers["WWW-Authenticate"]


async def test_claude_ai_with_the_clients_id_and_secret_typed_in(
    house: House, browser: Browser, program: Program
) -> None:
    """Issue 6, What 1: all scopes are ticked for it; its secret may come in body or header."""
    made = house.made_client()
    program.id, program.secret = made["OAUTH_CLIENT_ID"], made["OAUTH_CLIENT_SECRET"]
    tokens = await signed_in(program, browser)
    assert tokens["scope"].split() == ["admin", "read", "run"]
    program.secret = None
    assert (await program.refresh(tokens["refresh_token"])).status_code == 401
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    basic = (program.id, made["OAUTH_CLIENT_SECRET"])
    answer = await program.http.post(f"{program.base}/oauth/token", data=form, auth=basic)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_browser_of_another_origin_may_register_and_get_tokens(house: House) -> None:
    """B.2, 10: Inspector runs in a browser; the endpoints of MCP stay closed to it."""
    origin = {"Origin": "http://localhost:6274"}
    async with httpx2.AsyncClient(base_url=house.live.url, trust_env=False) as client:
        for path in ("/token", "/register", "/.well-known/oauth-authorization-server"):
            answer = await client.options(path, headers=origin)
            assert answer.status_code == 204
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        refused = await client.post("/token", headers=origin, data={})
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
        foreign = await client.post("/mcp", headers={**origin, **JSON_RPC}, json=INITIALIZE)
        assert foreign.status_code == 403


async def test_claude_codes_loopback_address_may_have_any_port(
    house: House, browser: Browser, program: Program
) -> None:
    """RFC 8252, section 7.3."""
    program.redirect = "http://localhost/callback"
    await program.register()
    program.redirect = "http://localhost:53412/callback"
    assert (await signed_in(program, browser))["scope"] == "read run"
    program.redirect = "http://localhost:53412/other"
    assert (await browser.open(program.authorize_url())).status_code == 400


async def test_a_token_is_good_at_its_own_endpoint_alone(
    house: House, browser: Browser, program: Program
) -> None:
    """RFC 8707, security E 5: audience; other places answer as if there were no token."""
    await program.register()
    token = (await signed_in(program, browser))["access_token"]
    assert (await program.post(token)).status_code == 200
    for path in ("/mcp/all", "/servers/adder/mcp", "/local/status"):
        refused = await program.post(token, path)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    other_name = program.base.replace("127.0.0.1", "localhost")
    headers = {**JSON_RPC, "Authorization": f"Bearer {token}"}
    elsewhere = await program.http.post(f"{other_name}/mcp", json=INITIALIZE, headers=headers)
    assert elsewhere.status_code == 401
    in_query = await program.http.post(
        f"{program.base}/mcp?access_token={token}", json=INITIALIZE, headers=JSON_RPC
    )
    assert in_query.status_code == 401


def forged(algorithm: str) -> str:
    """Return a JWT that claims to be the owner's, with no or with a guessed signature."""
    parts = ({"alg": algorithm, "typ": "JWT"}, {"sub": "owner", "scope": "admin", "exp": 1 << 40})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(text.rstrip("=") for text in texts), "" if algorithm == "none" else "c2ln"])


async def test_what_is_no_access_token_of_ours_is_refused(
    house: House, browser: Browser, program: Program
) -> None:
    """Security E 5: other kinds of our own secrets, and tokens that say what they may."""
    await program.register(token_endpoint_auth_method="client_secret_post")
    told = await browser.consent(program.authorize_url())
    assert (await program.post(told["code"])).status_code == 401
    tokens = (await program.exchange(told["code"])).json()
    assert program.secret is not None
    wrong = [told["code"], tokens["refresh_token"], program.secret, program.id]
    wrong += [tokens["access_token"].removeprefix("cra_"), tokens["access_token"] + "x"]
    wrong += [forged(algorithm) for algorithm in ("none", "HS256", "RS256")]
    for token in wrong:
        refused = await program.post(token)
        assert refused.status_code == 401
        challenge = refused.headers["WWW-Authenticate"]
        assert f'resource_metadata="{house.live.url}/.well-known/' in challenge


def call(tool: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a call of the handshake era."""
    params = {"name": tool, "arguments": arguments or {}}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


async def test_a_call_beyond_the_scopes_is_told_which_are_needed(
    browser: Browser, program: Program
) -> None:
    """B.2, 9: 403 and what to ask for, at the management tools and at a server."""
    await program.register()
    token = (await signed_in(program, browser, ticks=["read"]))["access_token"]
    for tool, needed in (("create_job", "read admin"), ("trigger_job", "read run")):
        refused = await program.post(token, body=call(tool))
        challenge = refused.headers["WWW-Authenticate"]
        assert (refused.status_code, refused.json()["id"]) == (403, 7)
        assert f'error="insufficient_scope", resource_metadata="{program.base}/.well' in challenge
        assert f'scope="{needed}"' in challenge
    assert (await program.post(token, body=call("list_jobs"))).status_code != 403
    path = "/servers/adder/mcp"
    address = program.authorize_url(resource=program.base + path)
    told = await browser.consent(address, ticks=["read"])
    tokens = (await program.exchange(told["code"], resource=program.base + path)).json()
    opened = await program.post(tokens["access_token"], path)
    session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
    add = call("add", {"a": 1, "b": 2})
    refused = await program.post(tokens["access_token"], path, add, session)
    assert refused.status_code == 403
    assert f"/oauth-protected-resource{path}" in refused.headers["WWW-Authenticate"]


async def test_a_revoked_token_is_nobodys_at_once(browser: Browser, program: Program) -> None:
    """RFC 7009: also where it is known already."""
    await program.register()
    tokens = await signed_in(program, browser)
    assert (await program.post(tokens["access_token"])).status_code == 200
    form = {"client_id": program.id, "token": tokens["refresh_token"]}
    assert (await program.http.post(f"{program.base}/revoke", data=form)).status_code == 200
    assert (await program.post(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize("path", ["/mcp", "/mcp/all", "/servers/adder/mcp"])
async def test_what_a_revoked_client_has_open_ends_with_its_grant(
    browser: Browser, program: Program, path: str
) -> None:
    """Ours: at once, for a stream asks for no token again."""
    await program.register()
    resource = program.base + path
    told = await browser.consent(program.authorize_url(resource=resource))
    tokens = (await program.exchange(told["code"], resource=resource)).json()
    opened = await program.post(tokens["access_token"], path)
    headers = {
        "Authorization": f"Bearer {tokens['access_token']}",
        "Accept": "text/event-stream",
        "Mcp-Session-Id": opened.headers["Mcp-Session-Id"],
    }
    with anyio.fail_after(PATIENCE_S):
        async with program.http.stream("GET", resource, headers=headers) as stream:
            assert stream.status_code == 200
            form = {"client_id": program.id, "token": tokens["refresh_token"]}
            await program.http.post(f"{program.base}/revoke", data=form)
            # The management tools' library ends a stream without its last chunk.
            with suppress(httpx2.RemoteProtocolError):
                async for _ in stream.aiter_bytes():
                    pass


@pytest.mark.parametrize("path", ["/mcp", "/mcp/all", "/servers/adder/mcp"])
async def test_every_endpoint_has_its_metadata(house: House, program: Program, path: str) -> None:
    """RFC 9728 and RFC 8414, also where clients guess: with the endpoint's path, as OpenID."""
    known = f"{house.live.url}/.well-known"
    for method in ("GET", "HEAD"):
        answer = await program.http.request(method, f"{known}/oauth-protected-resource{path}")
        assert answer.status_code == 200
    documents: list[Any] = []
    for name in ("oauth-authorization-server", "openid-configuration"):
        for suffix in ("", path):
            documents.append((await program.http.get(f"{known}/{name}{suffix}")).json())
    assert all(each == documents[0] for each in documents)
    assert documents[0]["code_challenge_methods_supported"] == ["S256"]
    for wrong in ("/oauth-protected-resource/elsewhere", "/oauth-protected-resourcex", "/other"):
        assert (await program.http.get(known + wrong)).status_code == 404
    assert (await program.http.post(f"{known}/openid-configuration")).status_code == 405


def test_the_client_is_replaced_from_the_command_line(house: House) -> None:
    """Issue 6, What 1: instead of SQL; the old secret is worth nothing."""
    old = house.made_client()
    done = house.place.run("client", "rotate")
    assert (done.returncode, done.stderr) == (0, "")
    new = dict(line.split("=", 1) for line in done.stdout.splitlines())
    for client, error in ((old, "invalid_client"), (new, "unsupported_grant_type")):
        form = {
            "client_id": client["OAUTH_CLIENT_ID"],
            "client_secret": client["OAUTH_CLIENT_SECRET"],
        }
        assert httpx2.post(f"{house.live.url}/token", data=form).json()["error"] == error


def test_the_log_follows_every_request_and_holds_no_secret(house: House) -> None:
    """Issue 6, What 3. Runs last: whatever happened above is in the log."""
    log = house.log()
    for step in ("POST /register", "GET /authorize", "POST /authorize", "POST /token"):
        assert step in log
    assert CLAUDE_CALLBACK in log
    for secret in ("cra_", "crf_", "crc_", "crs_", "code_verifier", "state=", "code="):
        assert secret not in log
