"""What a child asks its proxy for: one request head, read with distrust. Pure.

CONNECT (RFC 9110, section 9.3.6) for everybody; plain http (RFC 9112, section 3.2.2) only for
hosts that the owner listed, because nothing else could read an index without TLS.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from sandboxes.errors import InvalidHost
from sandboxes.network import hosts
from sandboxes.network.hosts import Target

MAX_HEAD_BYTES = 8192
END = b"\r\n\r\n"
HTTP_PORT = 80

_REQUEST = re.compile(r"([A-Z]{1,20}) ([!-~]+) HTTP/1\.[01]")
_PLAIN_URL = re.compile(r"http://([^/?#@]*)([^#]*)", re.IGNORECASE)
_PLAIN_METHODS = frozenset({"GET", "HEAD"})
_ODD = re.compile(rb"[^\t\r\n\x20-\xff]|\r(?!\n)|(?<!\r)\n|\x7f")
_OURS = (b"connection:", b"proxy-connection:", b"keep-alive:", b"proxy-authorization:")
"""Headers that concern one connection; we answer one request on each."""


class Refusal(Exception):
    """A request that gets an answer instead of a tunnel; the message is one sentence."""

    def __init__(self, status: int, asked: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.asked = asked
        """The host and port, as far as they can be told; safe to print."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that can be understood; whether it is granted is another question."""

    target: Target
    plain: bytes | None = None
    """The request as the target gets it; None: it asks for a tunnel."""


def read_request(head: bytes, listed: Collection[Target] = ()) -> Asked:
    """Return what a request with all its headers asks for.

    `listed` are hosts that the owner named, which may be addresses and may be asked in plain http.

    Raises:
        Refusal: it is anything else.
    """
    request, end, early = head.partition(END)
    if not end:
        raise Refusal(431, "", f"The request is longer than {MAX_HEAD_BYTES} bytes.")
    first, _, headers = request.partition(b"\r\n")
    line = first.decode("latin-1")
    match = _REQUEST.fullmatch(line)
    if match is None or _ODD.search(request):
        raise Refusal(400, hosts.shown(line), f"{hosts.shown(line)} is not an HTTP request.")
    method, text = match.groups()
    asked = _tunnel(text, listed) if method == "CONNECT" else _plain(method, text, headers, listed)
    if early:
        sentence = f"The request for {asked.target} was followed by data before it was answered."
        raise Refusal(400, str(asked.target), sentence)
    return asked


def _tunnel(text: str, listed: Collection[Target]) -> Asked:
    known = _find(text, listed)
    if known is not None:
        return Asked(known)
    try:
        return Asked(hosts.parse_target(text))
    except InvalidHost as error:
        raise Refusal(400, hosts.shown(text), str(error)) from None


def _plain(method: str, text: str, headers: bytes, listed: Collection[Target]) -> Asked:
    url = _PLAIN_URL.fullmatch(text)
    authority = url[1] if url else text
    known = _find(authority, listed) or _find(f"{authority}:{HTTP_PORT}", listed)
    if url is None or known is None or method not in _PLAIN_METHODS:
        host = hosts.shown(authority)
        raise Refusal(405, host, f"Plain http to {host} is not carried; use an https address.")
    kept = [line for line in headers.split(b"\r\n") if not line.lower().startswith(_OURS)]
    path = url[2] if url[2].startswith("/") else f"/{url[2]}"
    first = f"{method} {path} HTTP/1.1".encode("latin-1")
    return Asked(known, b"\r\n".join((first, *filter(None, kept), b"Connection: close")) + END)


def _find(text: str, listed: Collection[Target]) -> Target | None:
    return next((target for target in listed if str(target) == text.lower()), None)
