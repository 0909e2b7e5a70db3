"""Which Host and Origin a request may carry, against rebound names and foreign pages."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

_AUTHORITY = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(:[0-9]{1,5})?")
SEEN_AUTHORITIES = 256
"""How many are remembered as they were read; callers choose them."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


class Origins:
    """The names this gateway answers to."""

    def __init__(self, host_names: frozenset[str], public_url: str | None) -> None:
        """`host_names`: lower case, without port and brackets."""
        self._own_names = host_names
        self.public_origin: str | None = None
        """Scheme and authority of the public address, without a trailing slash."""
        self.publish(public_url)

    def publish(self, public_url: str | None) -> None:
        """Answer to the name of this address too, and to no other public one."""
        public = urlsplit(public_url or "")
        self.public_origin = f"{public.scheme}://{public.netloc}" if public_url else None
        self._host_names = self._own_names | ({(public.hostname or "").lower()} - {""})

    def answers_to(self, host: str) -> bool:
        """True when the Host header names this gateway; its port does not matter (tunnels)."""
        return _name(host) in self._host_names

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
    names = set(LOOPBACK)
    if bind_host.lower() not in _ANY_ADDRESS:
        names.add(bind_host.lower())
    return Origins(frozenset(names), public_url)


@lru_cache(maxsize=SEEN_AUTHORITIES)
def _name(authority: str) -> str | None:
    match = _AUTHORITY.fullmatch(authority)
    return match["name"].strip("[]").lower() if match else None
