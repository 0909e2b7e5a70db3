"""Addresses of pages: what may be asked for. Pure."""

from urllib.parse import urljoin, urlsplit, urlunsplit

from web_pages.errors import FetchError

MAX_CHARACTERS = 4000
WEB = ("http", "https")


def read_address(text: str, *, https_only: bool) -> str:
    """Return an address as it is asked for, without its fragment.

    `https_only`: behind the sandbox's proxy, which carries no plain http; a page of http is asked
    for by https there, as browsers do.

    Raises FetchError.
    """
    text = text.strip()
    shown = ascii(text[:100])
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise FetchError(f"{shown} is no address of a page: {error}.") from error
    if parts.scheme not in WEB or not host or len(text) > MAX_CHARACTERS:
        raise FetchError(f"{shown} is no address of a page; give one such as https://example.com/.")
    if parts.username is not None or parts.password is not None:
        raise FetchError(f"The address of {host} holds a user or a password; leave it out.")
    upgraded = https_only and parts.scheme == "http" and port in (None, 80)
    scheme = "https" if upgraded else parts.scheme
    place = parts.netloc.removesuffix(":80") if upgraded else parts.netloc
    return urlunsplit((scheme, place, parts.path or "/", parts.query, ""))


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address that `read_address` accepted."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def joined(base: str, found: str) -> str | None:
    """Return where a page's link leads; None when that is no page, or too long an address."""
    if len(found) > MAX_CHARACTERS:
        return None
    try:
        url = urljoin(base, found.strip())
        parts = urlsplit(url)
    except ValueError:
        return None
    is_page = parts.scheme in WEB and parts.netloc and len(url) <= MAX_CHARACTERS
    return url if is_page else None
