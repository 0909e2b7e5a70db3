"""Which Host and Origin a request may carry, against rebound names and foreign pages."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

_AUTHORITY = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(:[0-9]{1,5})?")
SEEN_AUTHORITIES = 256
"""How many are remembered as they were read; callers choose them."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Origins:
    """The names this gateway answers to."""

    host_names: frozenset[str]
    """Lower case, without port and brackets."""
    public_origin: str | None
    """Scheme and authority of PUBLIC_URL, without a trailing slash."""

    def answers_to(self, host: str) -> bool:
        """True when the Host header names this gateway; its port does not matter (tunnels)."""
        return _name(host) in self.host_names

    def may_come_from(self, origin: str, host: str) -> bool:
        """True when the Origin header is the page's own origin or PUBLIC_URL."""
        if origin == self.public_origin:
            return True
        return self.answers_to(host) and origin in (f"http://{host}", f"https://{host}")

    def is_https(self, scheme: str, host: str) -> bool:
        """True when the browser speaks https, also to a tunnel that ends it before us."""
        public = self.public_origin or ""
        return scheme == "https" or public == f"https://{host}"

    def base_of(self, scheme: str, host: str) -> str:
        """Return the address, without a trailing slash, to which a request with this Host came."""
        return f"{'https' if self.is_https(scheme, host) else 'http'}://{host.lower()}"


def allowed_origins(bind_host: str, public_url: str | None) -> Origins:
    """Return the names from HOST and PUBLIC_URL together with those of loopback."""
    names = set(_LOOPBACK)
    if bind_host.lower() not in _ANY_ADDRESS:
        names.add(bind_host.lower())
    if not public_url:
        return Origins(host_names=frozenset(names), public_origin=None)
    public = urlsplit(public_url)
    names.add((public.hostname or "").lower())
    return Origins(frozenset(names), f"{public.scheme}://{public.netloc}")


@lru_cache(maxsize=SEEN_AUTHORITIES)
def _name(authority: str) -> str | None:
    match = _AUTHORITY.fullmatch(authority)
    return match["name"].strip("[]").lower() if match else None
