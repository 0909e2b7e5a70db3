"""Which names and origins are ours."""

import pytest

from gateway.auth.origins import allowed_origins

ORIGINS = allowed_origins("192.0.2.7", "https://runner.example.org")


@pytest.mark.parametrize(
    "host",
    ["[", "[]", "evil@127.0.0.1", "127.0.0.1/x", "127.0.0.1:x", "127.0.0.1 ", "localhost.evil.org"],
)
def test_odd_host_is_not_ours(host: str) -> None:
    """Ours: what is not plainly a name and a port is nobody's."""
    assert not ORIGINS.answers_to(host)


@pytest.mark.parametrize("host", ["192.0.2.7:8080", "[::1]", "Runner.Example.org", "localhost:1"])
def test_configured_host_is_ours(host: str) -> None:
    """Ours: HOST, PUBLIC_URL and loopback."""
    assert ORIGINS.answers_to(host)


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        ("http://localhost:8080", "localhost:8080", True),
        ("https://runner.example.org", "localhost:8080", True),
        ("http://localhost:9090", "localhost:8080", False),
        ("http://runner.example.org", "localhost:8080", False),
        ("http://evil.example", "evil.example", False),
        ("null", "localhost", False),
        ("", "localhost", False),
    ],
)
def test_origin_is_the_page_itself_or_the_public_address(
    origin: str, host: str, ours: bool
) -> None:
    """Ours: another port of loopback is another program."""
    assert ORIGINS.may_come_from(origin, host) is ours


def test_every_address_adds_no_name() -> None:
    """Ours: listening everywhere does not mean answering to every name."""
    assert not allowed_origins("0.0.0.0", None).answers_to("0.0.0.0")
