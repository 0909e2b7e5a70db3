"""What proxies say of a request's caller, and how much of that is believed.

Source: RFC 7239; X-Forwarded-* as nginx, Caddy, HAProxy and Apache write it. Pure functions.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.reach.address import UNKNOWN, read_address

MAX_HOPS = 20
"""Proxies that a request is followed back through."""
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_BALANCED = re.compile(rf'(?:{_QUOTED}|[^"])*')
_PARTS = re.compile(rf"(?:{_QUOTED}|[^,\"])+")
_PAIRS = re.compile(rf"\s*([A-Za-z]+)=({_QUOTED}|[^;\"]*)\s*(?:;|$)")
_ESCAPED = re.compile(r"\\(.)")
_IPV4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")

IsTrusted = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Hop:
    """What one proxy says of who it took the request from; None: it says nothing."""

    address: str | None = None
    scheme: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Came:
    """Where a request came from, and how it was addressed there; None: as it is here."""

    address: str
    scheme: str | None = None
    host: str | None = None


def follow_back(
    peer: str, *, x_forwarded: Sequence[Hop], forwarded: Sequence[Hop], trusted: IsTrusted
) -> Came:
    """Return where a request of a trusted peer came from.

    A proxy replaces or extends the one kind of header that it knows, and hands on the other as its
    caller sent it. Where both are there and differ, nothing tells them apart: neither is believed.
    """
    kinds = [hops for hops in (x_forwarded, forwarded) if hops]
    found = {_walk(peer, hops, trusted) for hops in kinds}
    return found.pop() if len(found) == 1 else Came(peer)


def read_x_forwarded(addresses: str, schemes: str, hosts: str) -> tuple[Hop, ...]:
    """Return the hops of X-Forwarded-For, -Proto and -Host, the nearest last."""
    listed = [_items(text) for text in (addresses, schemes, hosts)]
    length = max(map(len, listed))
    columns = ([None] * (length - len(items)) + items for items in listed)
    return tuple(
        Hop(_address(address), _scheme(scheme), host or None)
        for address, scheme, host in zip(*columns, strict=True)
    )


def read_forwarded(text: str) -> tuple[Hop, ...]:
    """Return the hops of a Forwarded header, the nearest last."""
    if not text.strip():
        return ()
    if not _BALANCED.fullmatch(text):
        # A quote that a caller left open would swallow what the proxy wrote behind it.
        return (Hop(),)
    return tuple(_hop(part) for part in _PARTS.findall(text)[-MAX_HOPS:])


def _walk(peer: str, hops: Sequence[Hop], trusted: IsTrusted) -> Came:
    """Go from the nearest hop to the first one that nobody we trust vouches for."""
    came = Came(peer)
    for hop in reversed(hops[-MAX_HOPS:]):
        came = Came(
            came.address if hop.address is None else hop.address,
            hop.scheme or came.scheme,
            hop.host or came.host,
        )
        if hop.address is None or not trusted(hop.address):
            break
    return came


def _items(text: str) -> list[str | None]:
    if not text.strip():
        return []
    return [item.strip() for item in text.split(",")[-MAX_HOPS:]]


def _hop(part: str) -> Hop:
    pairs = {name.lower(): value for name, value in _pairs(part)}
    return Hop(_address(pairs.get("for")), _scheme(pairs.get("proto")), pairs.get("host") or None)


def _pairs(part: str) -> Iterator[tuple[str, str]]:
    for name, value in _PAIRS.findall(part):
        yield name, _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value.strip()


def _scheme(text: str | None) -> str | None:
    lowered = (text or "").lower()
    return lowered if lowered in ("http", "https") else None


def _address(text: str | None) -> str | None:
    """Return an address of a header, whose port does not matter; None when it names none."""
    if not text:
        return None
    if text.startswith("["):
        text = _in_brackets(text)
    elif match := _IPV4_WITH_PORT.fullmatch(text):
        text = match[1]
    address = read_address(text)
    return None if address == UNKNOWN else address


def _in_brackets(text: str) -> str:
    try:
        return urlsplit(f"//{text}").hostname or ""
    except ValueError:
        return ""
