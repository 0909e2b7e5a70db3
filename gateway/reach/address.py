"""The one answer to where a request comes from, once trusted proxies were looked through.

Everybody who counts or writes down addresses asks here: logins, rate limits, audit, webhooks.
"""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

UNKNOWN = "unknown"
"""What stands for a caller whose address the HTTP server does not know."""
SEEN_ADDRESSES = 1024
"""How many are remembered as they were read; callers choose them."""
_HERE = frozenset({"127.0.0.1", "::/64", UNKNOWN})
"""Also everybody behind a proxy that is not trusted; they must not be limited together."""
SITE_BITS = 64
"""What one subscriber of IPv6 has at least: an address of its own for each request is free."""


def client_address(scope: Mapping[str, Any]) -> str:
    """Return the address of a request's caller, without a port."""
    client = scope.get("client")
    return read_address(client[0]) if client else UNKNOWN


def address_block(address: str) -> str:
    """Return what to count an address under: itself, or its network of 64 bits where it is IPv6."""
    return address if ":" not in address else _site(address)


def counted_block(scope: Mapping[str, Any]) -> str | None:
    """Return what to count a request's address under; None for this machine, which is not."""
    block = address_block(client_address(scope))
    return None if block in _HERE else block


@lru_cache(maxsize=SEEN_ADDRESSES)
def read_address(text: str) -> str:
    """Return an address in its shortest form; UNKNOWN when it is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


@lru_cache(maxsize=SEEN_ADDRESSES)
def _site(address: str) -> str:
    try:
        return str(ip_network((address, SITE_BITS), strict=False))
    except ValueError:
        return UNKNOWN
