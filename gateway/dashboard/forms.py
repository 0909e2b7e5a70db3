"""Every form carries a token that only a page of ours can have put there.

It is made from the session's value, or before there is one from a visitor's cookie and a key of
this process, and says nothing about either. Every POST to the dashboard is checked, whichever room
it is for.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import cast

from markupsafe import Markup
from quart import Response, g, request
from werkzeug.exceptions import Forbidden, UnsupportedMediaType

from gateway.dashboard.browser import Browser

VISITOR = "claude-runner-visitor"
FIELD = "form_token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Forms:
    """Puts tokens into pages and checks them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._key = secrets.token_bytes(32)

    def token_input(self) -> Markup:
        """Return the hidden input that belongs into every form."""
        return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, self._token())

    async def check(self) -> None:
        """Raise unless the current request changes nothing or comes from a page of ours."""
        if request.method in SAFE or request.routing_exception is not None:
            return
        self._browser.require_own_page()
        if request.mimetype != "application/x-www-form-urlencoded":
            raise UnsupportedMediaType("This page takes forms; programs use a token at /mcp.")
        given = (await read_form()).get(FIELD, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._token().encode()):
            raise Forbidden("This page is too old or of another browser; load it again.")

    def keep_visitor(self, response: Response) -> Response:
        """Have the browser keep what the tokens of this response were made from."""
        if (made := g.get("visitor")) is not None:
            self._browser.set_cookie(response, VISITOR, made)
        return response

    def _token(self) -> str:
        if self._browser.is_logged_in():
            return _signed(self._browser.session_id().encode(), b"claude-runner form")
        # With a key of ours: whoever wants a token for another visitor has to load a page for it.
        return _signed(self._key, self._visitor().encode("utf-8", "surrogateescape"))

    def _visitor(self) -> str:
        known = self._browser.cookie(VISITOR) or g.get("visitor")
        if known:
            return known
        g.visitor = secrets.token_urlsafe(32)
        return g.visitor


def _signed(key: bytes, text: bytes) -> str:
    return hmac.new(key, text, hashlib.sha256).hexdigest()


async def read_form() -> Mapping[str, str]:
    """Return the fields of the current request's form."""
    return cast("Mapping[str, str]", await request.form)  # pyright: ignore[reportUnknownMemberType] - Quart leaves the dictionary's types open
