"""Host and Origin on every route there is, loopback or not."""

import re

import pytest

from gateway.main import Gateway
from tests.reach.asking import ask
from tests.reach.conftest import PUBLIC

OWN, EVIL = "127.0.0.1:8080", "evil.example"
OPEN_TO_PAGES = (
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server",
    "/token",
    "/oauth/token",
    "/register",
    "/revoke",
)
"""Programs in browsers sign in by these; nothing there acts by a cookie."""
ROOMS = (
    "/healthz",
    "/readyz",
    "/mcp",
    "/mcp/",
    "/mcp/all",
    "/servers/adder/mcp",
    "/sse",
    "/messages/",
    "/webhook/0123456789abcdef",
    "/local/status",
    "/local/nothing",
    "/nothing/at/all",
)


def routes(gateway: Gateway) -> list[str]:
    """Return a path of every route: those of the router, and every page there is."""
    rules = gateway.dashboard.app.url_map.iter_rules()
    pages = {re.sub(r"<[^>]+>", "x", rule.rule) for rule in rules}
    assert {"/", "/login", "/authorize"} <= pages
    return sorted({*ROOMS, *OPEN_TO_PAGES, *pages})


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
    for path in set(routes(gateway)) - set(OPEN_TO_PAGES):
        assert (await ask(gateway.app, path, *headers, method=method)).status == 403, path


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_the_routes_for_programs_of_all_origins_take_no_cookie(
    gateway: Gateway, origin: str
) -> None:
    """Checklist of gateways, row 1: what pages of others may call is open without credentials."""
    for path in OPEN_TO_PAGES:
        answer = await ask(gateway.app, path, ("host", OWN), ("origin", origin))
        assert answer.status not in (403, 421), path
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


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
