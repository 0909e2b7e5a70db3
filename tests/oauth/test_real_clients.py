"""Programs that nobody here wrote sign in: registered, by a document, as the first client."""

import json
import stat
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from fastmcp import Client

from gateway.variables import CHECKOUT
from tests.cli.gateways import make_place
from tests.oauth.claude_cli import ClaudeCli
from tests.oauth.conftest import House, add_adder, owner_of
from tests.oauth.document_host import DOCUMENT_ID, document, open_host, raw
from tests.oauth.fastmcp_client import ScriptedOAuth
from tests.oauth.parts import Browser
from tests.origin import HOST, certify
from tests.toolchain import LOCKS, NPM_STAMP, Toolchain

pytestmark = [
    pytest.mark.timeout(120),
    # Each test's client lives as long as the test.
    pytest.mark.filterwarnings("ignore:Using in-memory token storage"),
]

GATEWAY = Path(__file__).with_name("outside_gateway.py")
CLAUDE_CODE = {
    "client_id": "https://claude.ai/oauth/claude-code-client-metadata",
    "client_name": "Claude Code",
    "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}
"""As claude.ai publishes it."""
REDIRECT = "http://localhost:49153/callback"
MAX_LINE_BYTES = 256 * 1024


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """A gateway outside of which there are claude.ai and a host of ours."""
    certificate = certify(tmp_path_factory.mktemp("certificate"), "claude.ai")
    async with open_host(certificate) as host:
        answers = {
            b"/oauth/claude-code-client-metadata": raw(json.dumps(CLAUDE_CODE).encode()),
            b"/oauth/client.json": document(),
        }

        async def answer(writer: Any) -> None:
            writer.write(answers[host.requests[-1].split(b" ")[1]])

        host.answer = answer
        place = make_place(tmp_path_factory.mktemp("real_clients"))
        add_adder(place)
        order = json.dumps([[HOST, host.port], ["claude.ai", host.port]])
        env = {"PYTHONPATH": str(CHECKOUT), "SSL_CERT_FILE": str(certificate[0])}
        with place.cold_gateway([sys.executable, str(GATEWAY), order], **env) as live:
            yield House(place, live)


@pytest.mark.parametrize("path", ["/mcp", "/servers/adder/mcp", "/mcp/all"])
async def test_fastmcp_registers_signs_in_calls_and_refreshes(
    house: House, browser: Browser, path: str
) -> None:
    """Issue 6, Shows: DCR and refresh, at every kind of endpoint; nobody is asked for a refresh."""
    auth = ScriptedOAuth(browser)
    address = house.live.url + path
    async with Client(address, auth=auth) as client:
        assert await client.list_tools()
    first = auth.context.current_tokens
    assert first is not None
    asked = auth.consents
    auth.context.token_expiry_time = 1.0
    async with Client(address, auth=auth) as client:
        assert await client.list_tools()
    second = auth.context.current_tokens
    assert second is not None
    assert second.access_token != first.access_token
    assert auth.consents == asked


async def test_fastmcp_signs_in_as_the_client_that_the_first_start_made(
    house: House, browser: Browser
) -> None:
    """Issue 6, What 1: id and secret from the private file of the home."""
    path = house.place.home / "oauth-client.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in house.log()
    made = house.made_client()
    auth = ScriptedOAuth(
        browser,
        client_id=made["OAUTH_CLIENT_ID"],
        client_secret=made["OAUTH_CLIENT_SECRET"],
        callback_port=49152,
    )
    async with Client(f"{house.live.url}/mcp", auth=auth) as client:
        assert await client.list_tools()
    assert made["OAUTH_CLIENT_SECRET"] not in house.log()


async def test_fastmcp_signs_in_by_its_document_and_refreshes(
    house: House, browser: Browser
) -> None:
    """Issue 6, Shows 1."""
    auth = ScriptedOAuth(browser, client_metadata_url=DOCUMENT_ID, callback_port=49152)
    address = f"{house.live.url}/mcp"
    async with Client(address, auth=auth) as client:
        assert await client.list_tools()
    first, information = auth.context.current_tokens, auth.context.client_info
    assert first is not None
    assert information is not None
    assert information.client_id == DOCUMENT_ID
    asked = auth.consents
    auth.context.token_expiry_time = 1.0
    async with Client(address, auth=auth) as client:
        assert await client.list_tools()
    second = auth.context.current_tokens
    assert second is not None
    assert second.access_token != first.access_token
    assert auth.consents == asked


@pytest.mark.parametrize(
    ("way", "generation"),
    [("registered", "auto"), ("document", "auto"), ("document", "v1"), ("preregistered", "auto")],
)
async def test_the_official_typescript_client_signs_in_and_refreshes(
    house: House, browser: Browser, toolchain: Toolchain, way: str, generation: str
) -> None:
    """Issue 6, Shows 1: by each way that it knows; also the package's first generation."""
    order: dict[str, Any] = {
        "client": generation,
        "url": f"{house.live.url}/mcp",
        "redirect": REDIRECT,
    }
    made = house.made_client()
    if way == "document":
        order["metadataUrl"] = DOCUMENT_ID
    elif way == "preregistered":
        order["information"] = {
            "client_id": made["OAUTH_CLIENT_ID"],
            "client_secret": made["OAUTH_CLIENT_SECRET"],
        }
    script = str(LOCKS / "oauth_client.mjs")
    command = [str(toolchain.node), script, str(NPM_STAMP.parent)]
    async with await anyio.open_process(command, stderr=None) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        printed = BufferedByteReceiveStream(program.stdout)
        await program.stdin.send(json.dumps(order).encode() + b"\n")
        asked = json.loads(await printed.receive_until(b"\n", MAX_LINE_BYTES))["authorize"]
        sent = await browser.submit(asked, (await browser.open(asked)).text)
        await program.stdin.send(sent.headers["Location"].encode() + b"\n")
        seen = json.loads(await printed.receive_until(b"\n", MAX_LINE_BYTES))
        assert await program.wait() == 0
    assert "list_jobs" in seen["tools"]
    assert seen["refreshed"]
    if way == "registered":
        assert seen["clientId"].startswith("client_")
        assert seen["clientId"] != made["OAUTH_CLIENT_ID"]
    else:
        expected = DOCUMENT_ID if way == "document" else made["OAUTH_CLIENT_ID"]
        assert seen["clientId"] == expected


async def sign_in_and_refresh(cli: ClaudeCli, browser: Browser) -> str:
    """Go the whole way with the CLI, connect with refreshed tokens; return its client's id."""
    printed = await cli.login(browser)
    assert 'Authenticated with "gateway"' in printed, printed
    old = cli.expire()
    assert "Connected" in await cli.status()
    kept = cli.tokens()
    assert kept["refreshToken"] != old
    return kept["clientId"]


@pytest.mark.parametrize("way", ["document", "preregistered"])
async def test_the_bundled_claude_cli_signs_in_and_refreshes(
    house: House, browser: Browser, tmp_path: Path, way: str
) -> None:
    """Issue 6, Shows 1: `claude mcp login`, whose document lies on claude.ai."""
    cli, made = ClaudeCli(tmp_path), house.made_client()
    expected, options, env = CLAUDE_CODE["client_id"], list[str](), dict[str, str]()
    if way == "preregistered":
        expected = made["OAUTH_CLIENT_ID"]
        options = ["--client-id", expected, "--client-secret"]
        env = {"MCP_CLIENT_SECRET": made["OAUTH_CLIENT_SECRET"]}
    await cli.add(f"{house.live.url}/mcp", *options, **env)
    assert await sign_in_and_refresh(cli, browser) == expected


@pytest.mark.full
async def test_the_bundled_claude_cli_registers_where_no_documents_are_fetched(
    tmp_path: Path,
) -> None:
    """Issue 6, Shows 1: it registers by itself only then; here the gateway is behind a proxy."""
    place = make_place(tmp_path)
    with place.gateway(HTTPS_PROXY="http://127.0.0.1:9") as live:
        house = House(place, live)
        cli = ClaudeCli(tmp_path / "cli")
        cli.folder.mkdir()
        await cli.add(f"{live.url}/mcp")
        async with owner_of(house) as browser:
            client_id = await sign_in_and_refresh(cli, browser)
    assert client_id.startswith("client_")
    assert client_id != house.made_client()["OAUTH_CLIENT_ID"]
