"""Where a client may have the owner's browser sent: rules for its addresses.

Source: OAuth 2.1 section 2.3, RFC 8252 section 7.
"""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlencode, urlsplit

MAX_CHARACTERS = 1000
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
APP_SCHEMES = frozenset({"cursor", "vscode", "vscode-insiders", "windsurf"})
"""Schemes of programs that are known to take their answer so; any other could be a script's."""
_SAFE = re.compile(r"[!-~]+")


def is_acceptable(uri: str) -> bool:
    """True when a client may register this address."""
    parts = _split(uri)
    if parts is None or parts.username or parts.password or "#" in uri:
        return False
    match parts.scheme:
        case "https":
            return bool(parts.hostname)
        case "http":
            return parts.hostname in LOOPBACK
        case scheme:
            return scheme in APP_SCHEMES and bool(parts.netloc or parts.path)


def is_registered(uri: str, registered: Iterable[str]) -> bool:
    """True when `uri` is one of a client's addresses; on loopback the port does not matter."""
    if any(uri == each for each in registered):
        return True
    parts = _split(uri)
    if parts is None or not _is_loopback(parts):
        return False
    return any(_portless(parts) == _portless(each) for each in map(_split, registered) if each)


def shown_host(uri: str) -> str:
    """Return who receives the answer, in words for the consent page."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        host = parts.hostname or ""
        return (
            f"{host} (a program on the computer of your browser)" if _is_loopback(parts) else host
        )
    return f"the program {parts.scheme!r} on the computer of your browser"


def form_target(uri: str) -> str:
    """Return the source expression that lets a form's answer redirect to `uri` (CSP 3)."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def with_answer(uri: str, answer: dict[str, str]) -> str:
    """Return `uri` with the parameters of an answer added to its query."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(answer)}"


def _is_loopback(parts: SplitResult) -> bool:
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def _portless(parts: SplitResult) -> tuple[str, str | None, str, str]:
    return parts.scheme, parts.hostname, parts.path, parts.query


def _split(uri: str) -> SplitResult | None:
    """Return the parts of an address that is plain ASCII and of a bearable length."""
    # Browsers read a backslash, and white space, in other ways than we do.
    if len(uri) > MAX_CHARACTERS or not _SAFE.fullmatch(uri) or set(uri) & set("\\\"'<>;,"):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises ValueError outside 0-65535
    except ValueError:
        return None
    return parts
