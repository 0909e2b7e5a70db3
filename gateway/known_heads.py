"""The head of a request that says what the one before it said: read once for each connection.

A client sends the same head with every call of a session, but for the length of the body. What
is compared are the bytes themselves, so that nothing is read in two ways. Pure.
"""

import re

import msgspec

from gateway.relay.http import HEADERS, Headers, Scope

MAX_KNOWN_BYTES = 4 * 1024
"""Of a head that is remembered, for as long as its connection lives."""
MAX_DIGITS = 8
_LENGTH = b"content-length"
_LENGTH_LINE = re.compile(rb"(?i:\r\n" + _LENGTH + rb": *)([0-9]{1,8})\r\n")
_END = b"\r\n\r\n"


class KnownHead(msgspec.Struct, frozen=True):
    """The head of a whole request, and what was read in it."""

    before: bytes
    """Up to the digits of its length."""
    digits: bytes
    after: bytes
    """From behind them to its end."""
    scope: Scope
    headers: Headers

    def match(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Return digits and body of a request with this head, if that is all of the data."""
        start = len(self.before)
        end = data.find(b"\r", start, start + MAX_DIGITS + 1)
        if end < 0 or not data.startswith(self.before) or not data.startswith(self.after, end):
            return None
        digits, body = data[start:end], data[end + len(self.after) :]
        return (digits, body) if digits.isdigit() and int(digits) == len(body) else None

    def scope_with(self, digits: bytes) -> Scope:
        """Return the scope of a request that has this head with another length."""
        headers, pairs = self.headers, list(self.scope["headers"])
        if digits != self.digits:
            headers = headers.with_value(_LENGTH, digits)
            pairs = [(name, digits if name == _LENGTH else value) for name, value in pairs]
        state = self.scope["state"].copy()
        return {**self.scope, "headers": pairs, "state": state, HEADERS: headers}


def learn(data: bytes, body: bytes, scope: Scope) -> KnownHead | None:
    """Return the head of a request to be known again; None where that is not sure.

    `data` is what came, in which the request of this body and scope began; `scope` is as the
    server made it, before anybody put anything into it.
    """
    size = data.find(_END) + len(_END)
    if size > MAX_KNOWN_BYTES or len(data) - size != len(body):
        return None
    lengths = list(_LENGTH_LINE.finditer(data, 0, size))
    if len(lengths) != 1 or int(lengths[0][1]) != len(body):
        return None
    start, end = lengths[0].span(1)
    kept = {**scope, "headers": list(scope["headers"])}
    return KnownHead(data[:start], data[start:end], data[end:size], kept, Headers(kept))
