"""Whose word about a caller is believed, from headers alone."""

from ipaddress import ip_network
from typing import Any

import pytest

from gateway.auth.origins import allowed_origins
from gateway.reach.address import UNKNOWN, address_block, client_address
from gateway.reach.proxies import Entrance, TrustedProxies, entrance
from gateway.relay.http import Receive, Scope, Send

NEAR, FAR = "127.0.0.1", "10.0.0.5"
TRUSTED = TrustedProxies((ip_network(NEAR), ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
ORIGINS = allowed_origins("127.0.0.1", "https://runner.example.org")


async def meet(
    peer: str | None, *headers: tuple[str, str], trusted: TrustedProxies = TRUSTED, port: int = 8080
) -> Scope:
    """Return the request as the application behind the entrance meets it."""
    met: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        met.append(scope)

    async def unused(*_: Any) -> Any:
        raise AssertionError

    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    if not any(name == b"host" for name, _ in pairs):
        pairs.insert(0, (b"host", b"127.0.0.1:8080"))
    scope: Scope = {
        "type": "http",
        "client": None if peer is None else (peer, 50000),
        "server": ("127.0.0.1", port),
        "scheme": "http",
        "headers": pairs,
    }
    await Entrance(app, trusted, ORIGINS)(scope, unused, unused)
    return met[0]


async def from_whom(peer: str, *headers: tuple[str, str]) -> str:
    """Return the address that everybody behind the entrance counts by."""
    return client_address(await meet(peer, *headers))


def x_for(*lines: str) -> list[tuple[str, str]]:
    """Return lines of X-Forwarded-For."""
    return [("x-forwarded-for", line) for line in lines]


@pytest.mark.parametrize(
    "header",
    [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=6.6.6.6;proto=https;host=evil.example"),
    ],
)
async def test_a_peer_that_is_not_trusted_is_not_believed(header: tuple[str, str]) -> None:
    """Issue 6, What 5: by default nobody is."""
    seen = await meet("192.0.2.9", header)
    assert (client_address(seen), seen["scheme"]) == ("192.0.2.9", "http")
    assert seen["headers"][0] == (b"host", b"127.0.0.1:8080")


def test_without_trusted_proxies_nothing_stands_in_the_way() -> None:
    """Ours: who has no proxy pays nothing for it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    assert entrance(app, TrustedProxies(), ORIGINS) is app
    assert entrance(app, TRUSTED, ORIGINS) is not app


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        (["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
        (["6.6.6.6, 203.0.113.7, 10.9.9.9"], "203.0.113.7"),
        (["10.1.1.1, 10.9.9.9"], "10.1.1.1"),
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["2001:db8::1"], "2001:db8::1"),
        (["[2001:DB8:0::1]:443"], "2001:db8::1"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, unknown"], NEAR),
        (["203.0.113.7, "], NEAR),
        (["203.0.113.7, nonsense, 10.9.9.9"], "10.9.9.9"),
        ([""], NEAR),
        ([", ".join(["203.0.113.7"] + ["10.9.9.9"] * 40)], "10.9.9.9"),
    ],
)
async def test_addresses_are_followed_from_the_right_up_to_a_stranger(
    lines: list[str], address: str
) -> None:
    """Ours: what stands left of the first stranger, a caller may have written."""
    assert await from_whom(NEAR, *x_for(*lines)) == address


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("for=203.0.113.7", "203.0.113.7"),
        ('For="[2001:db8::1]:4711";proto=https', "2001:db8::1"),
        ("for=6.6.6.6, for=203.0.113.7", "203.0.113.7"),
        ("for=203.0.113.7;by=x, for=10.9.9.9", "203.0.113.7"),
        ("for=_hidden", NEAR),
        ("for=unknown", NEAR),
        # A caller that leaves a quote open must not turn the proxy's part into its own.
        ('for=6.6.6.6;x=", for="[2001:db8::1]"', NEAR),
        ('for="6.6.6.6, for=203.0.113.7', NEAR),
        ('for="6.6.6.6\\", for=203.0.113.7', NEAR),
    ],
)
async def test_the_forwarded_header_is_read_alike(value: str, address: str) -> None:
    """RFC 7239, sections 4 and 6."""
    assert await from_whom(NEAR, ("forwarded", value)) == address


@pytest.mark.parametrize(
    ("x_forwarded", "forwarded", "address"),
    [
        ("203.0.113.7", "for=203.0.113.7", "203.0.113.7"),
        ("203.0.113.7", "for=6.6.6.6", NEAR),
        ("6.6.6.6", "for=203.0.113.7", NEAR),
        ("6.6.6.6", 'for="203.0.113.7', NEAR),
    ],
)
async def test_two_kinds_of_headers_that_differ_are_not_believed(
    x_forwarded: str, forwarded: str, address: str
) -> None:
    """Ours: a proxy writes one and hands on the other as its caller wrote it."""
    headers = [*x_for(x_forwarded), ("forwarded", forwarded)]
    assert await from_whom(NEAR, *headers) == address


async def test_scheme_and_host_come_from_a_trusted_proxy() -> None:
    """Issue 6, What 5: for proxies that rewrite the Host header."""
    said = [("x-forwarded-proto", "https"), ("x-forwarded-host", "runner.example.org")]
    seen = await meet(FAR, *x_for("203.0.113.7"), *said, ("host", "gateway:8080"))
    assert (seen["scheme"], seen["client"][0]) == ("https", "203.0.113.7")
    assert [value for name, value in seen["headers"] if name == b"host"] == [b"runner.example.org"]


@pytest.mark.parametrize(
    ("peer", "hosts", "kept"),
    [
        (NEAR, ["evil.example:8080"], [b"evil.example:8080"]),
        (NEAR, ["127.0.0.1:8080"], [b"runner.example.org"]),
        (FAR, ["gateway"], [b"runner.example.org"]),
        (FAR, ["gateway", "gateway"], [b"gateway", b"gateway"]),
    ],
)
async def test_a_page_on_a_rebound_name_does_not_rename_itself(
    peer: str, hosts: list[str], kept: list[bytes]
) -> None:
    """Ours: to it this machine is loopback, and it may write X-Forwarded-Host."""
    lines = [("host", host) for host in hosts]
    seen = await meet(peer, *lines, ("x-forwarded-host", "runner.example.org"))
    assert [value for name, value in seen["headers"] if name == b"host"] == kept


async def test_a_scheme_that_is_none_is_not_taken() -> None:
    """Ours."""
    seen = await meet(NEAR, *x_for("203.0.113.7"), ("x-forwarded-proto", "javascript"))
    assert seen["scheme"] == "http"


async def test_the_tunnels_own_port_is_trusted_and_no_other() -> None:
    """Ours: the tunnel's end connects from loopback, as anybody on this machine does."""
    trusted = TrustedProxies(tunnel_port=9000)
    for port, address in ((9000, "203.0.113.7"), (8080, NEAR)):
        seen = await meet(NEAR, *x_for("203.0.113.7"), trusted=trusted, port=port)
        assert client_address(seen) == address


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (UNKNOWN, UNKNOWN),
    ],
)
def test_addresses_are_counted_by_subscriber(address: str, block: str) -> None:
    """Ours: who has one address of IPv6 has 2^64 of them."""
    assert address_block(address) == block


async def test_a_caller_without_an_address_is_nobody_in_particular() -> None:
    """Ours: a Unix socket has no address."""
    assert client_address(await meet(None)) == UNKNOWN
