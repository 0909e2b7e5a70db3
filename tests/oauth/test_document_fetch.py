"""What a stranger's address makes the gateway do: fetch a small document from outside, no more."""

import asyncio
import gzip
import ssl
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from gateway.oauth.documents.fetch import FETCH_S, MAX_BYTES, Fetcher
from gateway.oauth.documents.rules import Unreadable
from tests.oauth.document_host import DOCUMENT_ID, Answer, DocumentHost, document, open_host, raw
from tests.origin import HOST, certify
from tests.outside import PUBLIC, FakeOutside
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The host's certificate."""
    return certify(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def host(certificate: tuple[Path, Path]) -> AsyncGenerator[DocumentHost]:
    """Where the document lies."""
    async with open_host(certificate) as opened:
        yield opened


async def problem(host: DocumentHost) -> str:
    """Return why the document cannot be had."""
    with pytest.raises(Unreadable) as refused:
        await host.fetcher().fetch(DOCUMENT_ID)
    return str(refused.value)


async def test_a_document_is_fetched_by_its_hosts_name(host: DocumentHost) -> None:
    """Ours: TLS and Host are about the name, the connection is to the checked address."""
    fetched = await host.fetcher().fetch(DOCUMENT_ID)
    assert fetched.body == document().partition(b"\r\n\r\n")[2]
    assert b"\r\nHost: pages.example.com\r\n" in host.requests[0]
    assert host.outside.dialled == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
    ],
)
async def test_a_name_that_leads_inside_is_not_dialled(host: DocumentHost, address: str) -> None:
    """Security E 8: loopback, link-local, metadata services, private networks, IPv6's forms."""
    host.leads_to([address])
    assert await problem(host) == f"{HOST} has no public address"
    assert host.outside.dialled == []


async def test_a_name_that_changes_after_the_check_changes_nothing(host: DocumentHost) -> None:
    """Security E 8: rebinding; there is one look-up, and what was checked is what is dialled."""
    host.leads_to([PUBLIC], ["127.0.0.1"])
    await host.fetcher().fetch(DOCUMENT_ID)
    assert host.outside.resolved == [HOST]
    assert host.outside.dialled == [(PUBLIC, 443)]
    assert await problem(host) == f"{HOST} has no public address"


async def test_of_several_addresses_the_public_ones_are_tried_in_turn(host: DocumentHost) -> None:
    """Ours: a machine without IPv6; a host that adds 127.0.0.1 to its addresses."""
    host.leads_to(["127.0.0.1", "2606:4700::1", PUBLIC])
    await host.fetcher().fetch(DOCUMENT_ID)
    assert host.outside.dialled == [("2606:4700::1", 443), (PUBLIC, 443)]


async def test_who_cannot_prove_the_name_is_not_asked(host: DocumentHost) -> None:
    """Security E 8: https means the host's own certificate."""
    fetcher = Fetcher(host.outside, ssl.create_default_context())
    with pytest.raises(Unreadable) as refused:
        await fetcher.fetch(DOCUMENT_ID)
    assert str(refused.value) == f"{HOST} cannot prove that it is {HOST}"
    assert host.requests == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (raw(b"", "302 Found", location="https://127.0.0.1/"), "its host answered 302"),
        (raw(b"", "307 Temporary Redirect", location=DOCUMENT_ID), "its host answered 307"),
        (raw(b"{}", "206 Partial Content"), "its host answered 206"),
        (raw(b"{}", "401 Unauthorized"), "its host answered 401"),
        (raw(b"{}", kind="text/html"), "what is there is not JSON"),
        (raw(b"{}", kind=""), "what is there is not JSON"),
        (
            raw(gzip.compress(b" " * 10_000_000), content_encoding="gzip"),
            "it came compressed, which was not asked for",
        ),
        (raw(b" " * (MAX_BYTES + 1)), f"it is larger than {MAX_BYTES} bytes"),
        (raw(b"{}", content_length="5"), f"{HOST} did not answer as it must"),
        (b"SSH-2.0-x\r\n\r\n", f"{HOST} did not answer as it must"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 40_000, f"{HOST} did not answer as it must"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000, "what is there has no end"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", f"{HOST} did not answer as it must"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            b"transfer-encoding: chunked\r\n\r\n1\r\n \r\n",
            f"{HOST} did not answer as it must",
        ),
        (b"", f"{HOST} did not answer as it must"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else "",
)  # fmt: skip
async def test_what_is_no_small_document_is_refused(
    host: DocumentHost, answer: bytes, sentence: str
) -> None:
    """Security E 8: redirects are not followed, nothing is decompressed, 10 KB are enough."""
    host.answer = answer
    assert await problem(host) == sentence
    assert len(host.requests) == 1


async def drip(writer: asyncio.StreamWriter) -> None:
    """Send a head, and then a byte now and then."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await anyio.sleep(0.2)


async def flood(writer: asyncio.StreamWriter) -> None:
    """Send chunks of a byte without an end."""
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    while not writer.is_closing():
        writer.write(b"1;" + b"x" * 500 + b"\r\n \r\n")
        await writer.drain()


async def test_an_answer_without_an_end_is_cut_off(host: DocumentHost) -> None:
    """Security E 8."""
    host.answer = flood
    assert await problem(host) == "what is there has no end"


async def never(_: asyncio.StreamWriter) -> None:
    """Say nothing."""
    await anyio.sleep_forever()


async def test_a_slow_host_has_five_seconds_in_all(certificate: tuple[Path, Path]) -> None:
    """Security E 8: whether it drips or says nothing."""
    began = time.monotonic()

    async def wait_for(answer: Answer) -> None:
        async with open_host(certificate) as host:
            host.answer = answer
            assert await problem(host) == f"{HOST} took longer than {FETCH_S:g} s"

    async with anyio.create_task_group() as both:
        both.start_soon(wait_for, drip)
        both.start_soon(wait_for, never)
    assert time.monotonic() - began < FETCH_S + PATIENCE_S


async def test_a_name_that_nobody_knows_and_a_host_that_is_down_say_so(host: DocumentHost) -> None:
    """Ours."""
    host.outside = FakeOutside({})
    assert await problem(host) == f"the name {HOST} is not known"
    host.outside = FakeOutside({HOST: [[PUBLIC]]})
    assert await problem(host) == f"{HOST} cannot be reached"
