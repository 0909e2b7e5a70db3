"""Clients by their documents: what they must say, and how long they are good."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gateway.oauth.documents.caching import DEFAULT_FRESH_S, MAX_FRESH_S, MIN_FRESH_S, fresh_s
from gateway.oauth.documents.clients import RATE, STALE_S
from gateway.oauth.documents.rules import is_document_id
from gateway.oauth.newcomers import MAX_UNUSED, PRUNE_EVERY, Newcomers
from tests.oauth.document_host import (
    DESCRIBED,
    DOCUMENT_ID,
    DocumentHost,
    document,
    open_host,
    raw,
)
from tests.oauth.parts import Browser, Program, signed_in
from tests.oauth.stage import BASE, Stage, open_stage
from tests.origin import HOST, certify


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The host's certificate."""
    return certify(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def host(certificate: tuple[Path, Path]) -> AsyncGenerator[DocumentHost]:
    """Where the document lies."""
    async with open_host(certificate) as opened:
        yield opened


@pytest.fixture
async def stage(tmp_path: Path, host: DocumentHost) -> AsyncGenerator[Stage]:
    """An authorization server that fetches documents."""
    async with open_stage(tmp_path, fetcher=host.fetcher()) as opened:
        yield opened


@pytest.fixture
async def browser(stage: Stage) -> AsyncGenerator[Browser]:
    """The owner's."""
    async with stage.browser() as opened:
        yield opened


@pytest.fixture
def program(stage: Stage) -> Program:
    """A client that is known by its document."""
    program = stage.program()
    program.id = DOCUMENT_ID
    return program


async def test_a_client_signs_in_by_its_document_and_refreshes(
    stage: Stage, program: Program, browser: Browser, host: DocumentHost
) -> None:
    """Issue 6, What 1; the page names the host that vouches for it, and admin is not ticked."""
    metadata = await stage.http.get(f"{BASE}/.well-known/oauth-authorization-server")
    assert metadata.json()["client_id_metadata_document_supported"] is True
    page = (await browser.open(program.authorize_url())).text
    assert f"Documented <small>(as <strong>{HOST}</strong> describes it)" in page
    tokens = await signed_in(program, browser)
    assert tokens["scope"] == "read run"
    assert (await program.refresh(tokens["refresh_token"])).status_code == 200
    assert len(host.requests) == 1
    head = host.requests[0].lower()
    assert b"cookie" not in head
    assert b"authorization" not in head


async def test_a_gateway_that_fetches_nothing_says_so(tmp_path: Path) -> None:
    """Ours: clients register there instead of sending the owner to a refusal."""
    async with open_stage(tmp_path) as stage:
        metadata = await stage.http.get(f"{BASE}/.well-known/oauth-authorization-server")
        assert metadata.json()["client_id_metadata_document_supported"] is False
        program = stage.program()
        program.id = DOCUMENT_ID
        async with stage.browser() as browser:
            assert (await browser.open(program.authorize_url())).status_code == 400


async def test_only_the_owners_browser_has_the_gateway_fetch(
    stage: Stage, program: Program, host: DocumentHost
) -> None:
    """Security E 8: neither a stranger's browser nor the token endpoint makes it ask anybody."""
    async with stage.stranger() as stranger:
        answer = await stranger.open(program.authorize_url())
        assert (answer.status_code, "ticket" in answer.text) == (200, False)
    for path in ("/token", "/revoke"):
        refused = await program.token(path, grant_type="refresh_token")
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert host.outside.resolved == []


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": f"{DOCUMENT_ID}/"},
        {"client_id": f"https://other.example{DOCUMENT_ID}"},
        {"client_id": None},
        {"redirect_uris": []},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": None},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"client_secret": "x"},
        {"grant_types": ["implicit"]},
    ],
    ids=str,
)
async def test_a_document_that_says_what_it_may_not_is_refused(
    stage: Stage, program: Program, browser: Browser, host: DocumentHost, change: dict[str, Any]
) -> None:
    """CIMD draft, section 4: also a client_id that is not the document's own; nothing is kept."""
    host.answer = document(change)
    answer = await browser.open(program.authorize_url())
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert await stage.store.oauth_clients.get(DOCUMENT_ID) is None


async def test_an_address_that_the_document_has_not_is_shown_and_never_redirected(
    program: Program, browser: Browser
) -> None:
    """Security E 6."""
    program.redirect = "https://evil.example/"
    assert (await browser.open(program.authorize_url())).status_code == 400


async def test_a_name_in_a_document_is_shown_as_text(
    program: Program, browser: Browser, host: DocumentHost
) -> None:
    """Security E 7."""
    host.answer = document({"client_name": "<script>alert(1)</script>"})
    page = (await browser.open(program.authorize_url())).text
    assert "&lt;script&gt;alert(1)" in page
    host.answer = document({"client_name": None})


@pytest.mark.parametrize(
    "client_id",
    [
        "https://claude.ai/oauth/mcp-oauth-client-metadata",
        "https://claude.ai/oauth/claude-code-client-metadata",
        "https://example.org:443/a.json",
    ],
)
def test_an_address_of_a_document_is_an_id(client_id: str) -> None:
    """B.1."""
    assert is_document_id(client_id)


@pytest.mark.parametrize(
    "client_id",
    [
        "http://example.org/a",
        "https://example.org",
        "https://example.org/",
        "https://example.org:8443/a",
        "https://user@example.org/a",
        "https://user:password@example.org/a",
        "https://example.org/a?b",
        "https://example.org/a#b",
        "https://example.org/a/../b",
        "https://example.org/./b",
        "https://example.org\\@evil.example/a",
        "https://EXAMPLE.org/a",
        "https://[::1]/a",
        "https://exämple.org/a",
        "https://example.org/a b",
        "https://example.org/a\n",
        "file:///etc/passwd",
        "gopher://example.org/a",
        f"https://example.org/{'a' * 500}",
        "client_123",
    ],
)
def test_anything_else_is_none(client_id: str) -> None:
    """Security E 8: https, the default port, nothing that two programs read in two ways."""
    assert not is_document_id(client_id)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, DEFAULT_FRESH_S),
        ({"cache-control": "max-age=7200"}, 7200),
        ({"cache-control": "public, MAX-AGE=7200, immutable"}, 7200),
        ({"cache-control": "max-age=7200", "age": "200"}, 7000),
        ({"cache-control": "s-maxage=7200"}, DEFAULT_FRESH_S),
        ({"cache-control": "max-age=1"}, MIN_FRESH_S),
        ({"cache-control": "max-age=999999999"}, MAX_FRESH_S),
        ({"cache-control": "no-store"}, MIN_FRESH_S),
        ({"cache-control": "no-cache, max-age=7200"}, MIN_FRESH_S),
        ({"cache-control": "max-age=-5"}, DEFAULT_FRESH_S),
        (
            {
                "expires": "Sun, 22 Nov 2026 19:00:00 GMT",
                "date": "Sun, 22 Nov 2026 17:00:00 GMT",
            },
            7200,
        ),
        ({"expires": "0", "date": "Sun, 22 Nov 2026 17:00:00 GMT"}, MIN_FRESH_S),
        ({"expires": "Sun, 22 Nov 2026 19:00:00 GMT"}, MIN_FRESH_S),
    ],
    ids=str,
)
def test_a_document_is_good_as_long_as_its_host_says_within_bounds(
    headers: dict[str, str], seconds: int
) -> None:
    """RFC 9111, sections 5.2 and 5.3; CIMD draft: bounds of the server's own."""
    assert fresh_s(headers) == seconds


async def test_a_fresh_document_is_not_asked_for_again(
    stage: Stage, program: Program, browser: Browser, host: DocumentHost
) -> None:
    """Ours: then what changed counts, redirect addresses too."""
    host.answer = document(cache_control="max-age=7200")
    for _ in range(2):
        assert (await browser.open(program.authorize_url())).status_code == 200
    assert len(host.requests) == 1
    host.answer = document({"redirect_uris": ["https://claude.com/api/mcp/auth_callback"]})
    stage.clock.pass_s(7200)
    assert (await browser.open(program.authorize_url())).status_code == 400
    program.redirect = "https://claude.com/api/mcp/auth_callback"
    assert (await browser.open(program.authorize_url())).status_code == 200
    assert len(host.requests) == 2


BROKEN = {
    "outage": raw(b"", "503 Service Unavailable"),
    "page": raw(b"<html>", kind="text/html"),
    "nonsense": raw(b"{"),
    "closed": b"",
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_document_that_cannot_be_read_now_counts_as_it_was_for_a_month(
    stage: Stage, program: Program, browser: Browser, host: DocumentHost, broken: str
) -> None:
    """B.3: claude.ai's own document had outages and came as a page once."""
    await browser.consent(program.authorize_url())
    host.answer = BROKEN[broken]
    stage.clock.pass_s(MAX_FRESH_S)
    async with stage.browser() as later:
        assert (await later.open(program.authorize_url())).status_code == 200
    stage.clock.pass_s(STALE_S)
    async with stage.browser() as much_later:
        assert (await much_later.open(program.authorize_url())).status_code == 400
    assert len(host.requests) == 3


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
async def test_a_document_that_was_withdrawn_is_no_client_any_more(
    stage: Stage, program: Program, browser: Browser, host: DocumentHost, status: str
) -> None:
    """Ours: that is an answer, no outage."""
    await browser.consent(program.authorize_url())
    host.answer = raw(b"", status)
    stage.clock.pass_s(DEFAULT_FRESH_S)
    assert (await browser.open(program.authorize_url())).status_code == 400


async def test_documents_are_fetched_at_a_rate(
    program: Program, browser: Browser, host: DocumentHost
) -> None:
    """Ours: pages that send the owner here again and again do not use the gateway as a crawler."""
    host.answer = raw(b"", "500 Oops")
    answers = [await browser.open(program.authorize_url()) for _ in range(RATE + 1)]
    assert len(host.requests) == RATE
    assert {answer.status_code for answer in answers} == {400}
    assert re.search("too many documents", answers[-1].text)


async def test_documents_do_not_fill_the_database(stage: Stage) -> None:
    """Issue 6, Shows: they share their room with clients that registered themselves."""
    newcomers = Newcomers(stage.store.oauth_clients)
    ids = [f"https://{HOST}/{number}" for number in range(MAX_UNUSED + PRUNE_EVERY + 1)]
    async with stage.browser() as browser:
        program = stage.program()
        program.id = DOCUMENT_ID
        await browser.consent(program.authorize_url())
    used = await stage.store.oauth_clients.get(DOCUMENT_ID)
    assert used is not None
    assert used.redirect_uris == tuple(DESCRIBED["redirect_uris"])
    for number, client_id in enumerate(ids):
        await newcomers.admit(
            type(used)(client_id, "x", used.source, ("x",), used.created_at + number)
        )
    left = [each for each in ids if await stage.store.oauth_clients.get(each)]
    assert len(left) <= MAX_UNUSED + PRUNE_EVERY
    assert left[-1] == ids[-1]
    assert await stage.store.oauth_clients.get(DOCUMENT_ID) == used
