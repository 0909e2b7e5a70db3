"""Addresses, names, certificates and clocks that keep claude.ai out."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.connector.doctor import ConnectorDoctor
from gateway.connector.probe import Probe
from gateway.connector.report import Grade, Step
from gateway.connector.way import check_clock, check_health, check_name
from gateway.connector.web import Answer
from gateway.relay.http import Receive, Scope, Send, send_body
from tests.connector.proxy import make_certificate, served


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Be some other program."""
    if scope["type"] == "http":
        await send_body(send, 200, b"<p>hello</p>", content_type=b"text/html")


async def to_https(scope: Scope, receive: Receive, send: Send) -> None:
    """Send everybody to the same address with https."""
    if scope["type"] == "http":
        location = b"https://runner.example.org" + scope["path"].encode()
        await send_body(send, 301, headers={b"location": location})


async def examine(public: str | None, local: str, trusted: Path | None = None) -> dict[str, Step]:
    """Return what a doctor without a gateway of its own says, by step."""

    async def nobody(_: str) -> None:
        raise AssertionError

    tls = ssl.create_default_context(cafile=trusted)
    doctor = ConnectorDoctor(
        public=lambda: public, local=local, probe=Probe(), remove_client=nobody, tls=tls
    )
    return {step.name: step for step in (await doctor.examine()).steps}


async def test_an_address_without_tls() -> None:
    """Issue 6, What 3: http where claude.ai wants https, and where the proxy wants it too."""
    async with served(to_https) as port:
        found = await examine(f"http://localhost:{port}", "unused")
    assert found["address"].wrong == (
        "PUBLIC_URL begins with http://, and claude.ai connects over https alone."
    )
    assert found["reachability"].wrong == (
        "PUBLIC_URL says http:// and what is in front of the gateway sends to https://."
    )
    assert found["reachability"].advice == f"Set PUBLIC_URL=https://localhost:{port}."


async def test_no_public_address_at_all() -> None:
    """Issue 6, What 3: then the local one is looked at."""
    async with served(page) as port:
        found = await examine(None, f"http://127.0.0.1:{port}")
    assert (found["address"].grade, found["reachability"].grade) == (Grade.WARNING, Grade.PROBLEM)
    assert found["address"].seen == f"http://127.0.0.1:{port}, the local address"


async def test_a_certificate_of_nobody_known(tmp_path: Path) -> None:
    """Issue 6, What 3."""
    certificate = make_certificate(tmp_path / "tls.pem")
    async with served(page, certificate) as port:
        found = await examine(f"https://localhost:{port}", "unused")
        other_name = await examine(f"https://127.0.0.1:{port}", "unused", certificate)
    for tls in (found["TLS"], other_name["TLS"]):
        assert tls.wrong == "The certificate is not one that claude.ai accepts."
    assert "self-signed certificate" in found["TLS"].seen
    assert "IP address mismatch" in other_name["TLS"].seen


async def test_a_certificate_that_ends_soon(tmp_path: Path) -> None:
    """Ours: a renewal that fails is found two weeks before it hurts."""
    certificate = make_certificate(tmp_path / "tls.pem", days=3)
    async with served(page, certificate) as port:
        found = await examine(f"https://localhost:{port}", "unused", certificate)
    assert (found["TLS"].grade, found["TLS"].wrong) == (Grade.WARNING, "It ends soon.")


async def test_nobody_listens() -> None:
    """Issue 6, What 3."""
    async with served(page) as port:
        pass
    found = await examine(f"https://localhost:{port}", "unused")
    assert found["TLS"].wrong == f"No TLS connection to localhost, port {port}, can be made " + (
        "from here."
    )
    assert list(found) == ["address", "DNS", "TLS"]


async def test_a_name_that_does_not_exist() -> None:
    """RFC 6761, section 6.4: `.invalid` never does."""
    step = await check_name("https://runner.invalid")
    assert (step.grade, step.wrong) == (Grade.PROBLEM, "The name of PUBLIC_URL is not found.")


@pytest.mark.parametrize(
    ("status", "headers", "wrong"),
    [
        (200, {}, "Something else answers at the root of PUBLIC_URL"),
        (407, {}, "Something in front of the gateway asks for a login of its own"),
        (504, {}, "The proxy does not reach the gateway"),
    ],
)
def test_who_answered(status: int, headers: Mapping[str, str], wrong: str) -> None:
    """Ours."""
    assert check_health(Answer(status, headers, b"{}"), "https://x").wrong.startswith(wrong)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Jan 2024 00:00:00 GMT"])
def test_a_date_that_is_none_is_no_fault_of_a_clock(date: str) -> None:
    """Ours."""
    answer = Answer(200, {"date": date} if date else {}, b"")
    assert check_clock(answer, datetime.now(UTC) + timedelta(days=9)).grade is Grade.OK
