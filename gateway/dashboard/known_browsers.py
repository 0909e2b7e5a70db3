"""Browsers in which the owner has logged in by password before, told by a cookie of their own.

The cookie opens nothing. It only counts failed logins of its browser apart from those of its
address, so that a flood from everywhere keeps the owner out of no browser of his.
Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

import hmac
import secrets
from collections.abc import Callable

KNOWN_LIFE_S = 180 * 24 * 3600


class KnownBrowsers:
    """Makes values for that cookie and recognises them; `sign` is keyed and knows the login."""

    def __init__(self, sign: Callable[[str], str]) -> None:
        self._sign = sign

    def issue(self) -> str:
        """Return a new value."""
        name = secrets.token_urlsafe(16)
        return f"{name}.{self._sign(name)}"

    def read(self, value: str) -> str | None:
        """Return the name of the browser that has this value, None when we did not make it."""
        name, _, signature = value.partition(".")
        wanted = self._sign(name)
        given = signature.encode("utf-8", "surrogateescape")
        return name if hmac.compare_digest(given, wanted.encode()) else None
