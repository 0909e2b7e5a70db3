"""Which addresses a server may be connected to: public ones, judged by where packets end. Pure.

Python's own `is_global` differs between patch releases and calls multicast global, so what is
refused is listed here (IANA special-purpose address registries).
"""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address

_REFUSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    )
)  # fmt: skip
_PUBLIC_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")
)  # fmt: skip
_PRIVATE = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_METADATA = frozenset(
    ip_address(text)
    for text in ("168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254")
)
"""Cloud metadata services outside of the link-local range: Azure, Alibaba, AWS, Google."""

_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""The upper half of an interface identifier whose lower half is an IPv4 address (RFC 5214)."""


def is_allowed(text: str, *, private: bool) -> bool:
    """Return whether a server may be connected to an address of its resolved host.

    With `private`, which only the owner grants, networks of private use count as public;
    loopback, link-local and metadata addresses never do.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    return all(_is_allowed(each, private=private) for each in ends(address))


def _is_allowed(address: Address, *, private: bool) -> bool:
    if address in _METADATA:
        return False
    if private and any(address in network for network in _PRIVATE):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _REFUSED_V6)


def ends(address: Address) -> tuple[Address, ...]:
    """Return every address at which packets to this one may end."""
    if isinstance(address, IPv4Address):
        return (address,)
    number = int(address)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (IPv4Address(number & 0xFFFFFFFF),)
    if address in _SIX_TO_FOUR:
        return (IPv4Address(number >> 80 & 0xFFFFFFFF),)
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        return (address, IPv4Address(number & 0xFFFFFFFF))
    return (address,)
