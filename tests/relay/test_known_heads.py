"""Heads that come again are read as the parser would read them, or not at all. Pure."""

from typing import Any

import httptools
import pytest

from gateway.known_heads import MAX_KNOWN_BYTES, learn

LINES = (b"POST /servers/x/mcp HTTP/1.1", b"Host: here", b"Content-Length: 4", b"X-A: b")
BODY = b"{12}"
SCOPE: dict[str, Any] = {
    "type": "http",
    "headers": [(b"host", b"here"), (b"content-length", b"4"), (b"x-a", b"b")],
    "state": {},
}


def wire(*lines: bytes, body: bytes = BODY) -> bytes:
    """Return a request."""
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Read:
    """What the parser reads in some bytes."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.whole = 0
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError:
            self.whole = -1

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole += 1


def test_a_known_head_may_have_another_length() -> None:
    """Ours: scope and headers say what this request says; nothing of another is in them."""
    known = learn(wire(*LINES), BODY, SCOPE)
    assert known is not None
    longer = wire(LINES[0], LINES[1], b"Content-Length: 12", LINES[3], body=b"x" * 12)
    assert known.match(longer) == (b"12", b"x" * 12)
    scope = known.scope_with(b"12")
    assert scope["headers"] == [(b"host", b"here"), (b"content-length", b"12"), (b"x-a", b"b")]
    (headers,) = (value for key, value in scope.items() if key.endswith("headers") and "_" in key)
    assert [headers.get(name) for name in (b"content-length", b"x-a")] == ["12", "b"]
    scope["state"]["mine"] = scope["mine"] = True
    again = known.scope_with(b"4")
    assert (again["headers"], again["state"], "mine" in again) == (SCOPE["headers"], {}, False)


def test_every_change_of_a_byte_is_read_anew_or_as_the_parser_reads_it() -> None:
    """RFC 9112, section 11.2: what two readers read differently is how requests are smuggled."""
    whole = wire(*LINES)
    known = learn(whole, BODY, SCOPE)
    assert known is not None
    for place in range(len(whole) + 1):
        for put in (b"", b"1", b"0", b" ", b"\r", b"\n", b"+", b",", b"A"):
            for data in (
                whole[:place] + put + whole[place:],
                whole[:place] + put + whole[place + 1 :],
            ):
                found = known.match(data)
                if found is not None:
                    read = Read(data)
                    assert (read.whole, read.body) == (1, found[1]), data
                    assert read.headers == known.scope_with(found[0])["headers"]


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (wire(*LINES, b"X-Long: " + b"a" * MAX_KNOWN_BYTES), BODY),
        (wire(*LINES) + wire(*LINES), BODY),
        (
            wire(LINES[0], LINES[1], b"Transfer-Encoding: chunked", body=b"4\r\n{12}\r\n0\r\n\r\n"),
            BODY,
        ),
        (wire(*LINES, b"Content-Length: 4"), BODY),
        (wire(LINES[0], LINES[1], b"Content-Length: 4 "), BODY),
        (wire(*LINES), b"{123}"),
    ],
)
def test_what_is_not_plain_is_not_remembered(data: bytes, body: bytes) -> None:
    """Ours: long heads, several requests, other framings."""
    assert learn(data, body, SCOPE) is None
