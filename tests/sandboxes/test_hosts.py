"""Names of hosts: what may be granted, what may be asked for, and what matches what."""

import pytest

from sandboxes.errors import InvalidHost
from sandboxes.network import hosts
from sandboxes.network.hosts import HostRule, Target, parse_rule, parse_rules, parse_target

ADDRESSES = [
    "127.0.0.1",
    "8.8.8.8",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "1.2.3.08",
    "a.0x",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "::1",
]
NO_NAMES = [
    "",
    ".",
    "localhost",
    "intranet",
    "example.com.",
    ".example.com",
    "a..example.com",
    "-a.example.com",
    "a-.example.com",
    "a_b.example.com",
    "exa mple.com",
    "example.com\0.evil.net",
    "example.com%00",
    "example.com/path",
    "https://example.com",
    "user@example.com",
    "user:pass@example.com",
    "example.com#x",
    "example.com\r\nX: y",
    "*",
    "a.*.example.com",
    "*example.com",
    "**.example.com",
    "*.com",
    "ex\u00e4mple.com",
    "\u212aiwi.example.com",  # lower() makes a plain k of the Kelvin sign
    "example\u3002com",
    "\uff45xample.com",
    f"{'a' * 64}.example.com",
    ".".join(["a" * 60] * 5),
]


@pytest.mark.parametrize("text", [*ADDRESSES, *NO_NAMES])
def test_what_is_no_plain_name_is_neither_granted_nor_asked_for(text: str) -> None:
    """Ours: one meaning for us, for the resolver and for whoever reads the grant."""
    with pytest.raises(InvalidHost) as refused:
        parse_rule(text)
    sentence = str(refused.value)
    assert sentence.isascii()
    assert sentence.isprintable()
    assert sentence.endswith(".")
    with pytest.raises(InvalidHost):
        parse_target(f"{text}:443")


@pytest.mark.parametrize("port", ["", "0", "00443", "+443", "65536", "443 ", "\u0664", "-1", "1e3"])
def test_a_port_is_a_plain_number(port: str) -> None:
    """Ours: int() reads more notations than anybody expects."""
    for parse in (parse_rule, parse_target):
        with pytest.raises(InvalidHost):
            parse(f"example.com:{port}")


def test_a_target_needs_a_port() -> None:
    """RFC 9110, section 9.3.6: the client names the port."""
    assert parse_target("API.Example.com:8443") == Target("api.example.com", 8443)
    with pytest.raises(InvalidHost):
        parse_target("example.com")


def test_a_rule_has_a_name_a_port_and_maybe_a_star() -> None:
    """Ours: https unless another port is written."""
    assert parse_rule("Example.com") == HostRule("example.com", 443)
    assert parse_rule("*.example.com:8443") == HostRule("example.com", 8443, below=True)
    assert parse_rule("xn--exmple-cua.com") == HostRule("xn--exmple-cua.com", 443)


def test_matching_goes_by_whole_labels_and_the_port() -> None:
    """Ours: no name that merely ends alike, no other port."""
    one, below = parse_rule("example.com"), parse_rule("*.example.com")
    asked = {
        "example.com:443": (True, False),
        "a.example.com:443": (False, True),
        "b.a.example.com:443": (False, True),
        "evil-example.com:443": (False, False),
        "example.com.evil.net:443": (False, False),
        "example.com:80": (False, False),
        "a.example.com:8443": (False, False),
    }
    found = {t: (one.allows(parse_target(t)), below.allows(parse_target(t))) for t in asked}
    assert found == asked


def test_a_grant_has_one_to_a_hundred_hosts() -> None:
    """Ours: an empty list must never come to mean everything."""
    for texts in ((), ("a.example.com",) * (hosts.MAX_HOSTS + 1)):
        with pytest.raises(InvalidHost):
            parse_rules(texts)
