"""Asks for pages: redirects by hand, robots before each, everything bounded in size and time.

Which hosts are in reach is the sandbox's to say: every connection, those of redirects too, goes
through its proxy.
"""

import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from urllib.parse import urljoin

import anyio
import httpx2

from web_pages.address import read_address
from web_pages.errors import FetchError
from web_pages.kinds import is_html, is_readable
from web_pages.robots import AGENT, Robots

MAX_BYTES = 4 * 1024 * 1024
"""Of one page, after decompression."""
MAX_ROBOTS_BYTES = 512 * 1024
"""What lies behind it is not read (RFC 9309, section 2.5)."""
MAX_HEADER = 200
"""Characters of a media type; Python takes quadratic time for what is quoted in it."""
MAX_REDIRECTS = 5
VISIT_S = 30.0
"""For a page with its redirects and the robots.txt of each host."""
HEADERS = {
    "User-Agent": f"{AGENT}/1.0",
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.8, */*;q=0.1",
    "Accept-Encoding": "gzip, deflate",
}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NOT_THERE = 404


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host answered."""

    url: str
    status: int
    kind: str
    """The media type, in lower case; empty when the host does not say."""
    charset: str | None
    content: bytes
    location: str | None = None
    """Where a redirect leads."""


Read = Callable[[str, httpx2.Response], Awaitable[Answer]]
"""What is made of the response at an address."""


class Visitor:
    """Asks as the environment says: through the sandbox's proxy, if there is one."""

    def __init__(self, environ: Mapping[str, str], visit_s: float = VISIT_S) -> None:
        self._environ = environ
        self._visit_s = visit_s
        self._robots = Robots()
        self._proxied = "HTTPS_PROXY" in environ

    def address(self, text: str) -> str:
        """Return an address as it is asked for. Raises FetchError."""
        return read_address(text, https_only=self._proxied)

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._environ.get("FETCH_CA_FILE") or None)

    async def visit(self, url: str) -> Answer:
        """Return the page behind an address. Raises FetchError."""
        if not _may_connect():
            raise FetchError(
                "No host is granted to this server yet; its owner can: "
                "./claude-runner servers grant fetch --host example.com"
            )
        try:
            with anyio.fail_after(self._visit_s):
                async with httpx2.AsyncClient(
                    headers=HEADERS, verify=self._trust, timeout=self._visit_s
                ) as client:
                    return await self._follow(client, self.address(url))
        except TimeoutError as error:
            raise FetchError(f"{url} took longer than {self._visit_s:g} seconds.") from error

    async def _follow(self, client: httpx2.AsyncClient, url: str) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            await self._check_robots(client, url)
            answer = await self._get(client, url, _page_of)
            if answer.location is None:
                return answer
            url = self.address(urljoin(url, answer.location))
        raise FetchError(f"{url} is the {MAX_REDIRECTS + 1}th redirect; they lead nowhere.")

    async def _check_robots(self, client: httpx2.AsyncClient, url: str) -> None:
        """Raise FetchError when the host wants no programs at this address."""
        if not self._robots.knows(url):
            answer = await self._read_robots(client, self._robots.address(url))
            self._robots.learn(url, answer.status, answer.content)
        self._robots.check(url)

    async def _read_robots(self, client: httpx2.AsyncClient, url: str) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._get(client, url, _robots_of)
            if answer.location is None:
                return answer
            url = self.address(urljoin(url, answer.location))
        # RFC 9309, section 2.3.1.2: after five redirects it counts as not there.
        return Answer(url, NOT_THERE, "", None, b"")

    async def _get(self, client: httpx2.AsyncClient, url: str, read: Read) -> Answer:
        try:
            async with client.stream("GET", url) as response:
                location = response.headers.get("location")
                if response.status_code in REDIRECTS and location is not None:
                    return Answer(url, response.status_code, "", None, b"", location)
                return await read(url, response)
        except httpx2.ProxyError as error:
            raise FetchError(_refused(str(error))) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            raise FetchError(f"{url} cannot be reached: {reason}.") from error


def _refused(said: str) -> str:
    """Return what the sandbox's proxy says, which is one sentence behind its number."""
    number, _, sentence = said.partition(" ")
    text = sentence if number.isdecimal() else said
    if "is not granted" not in text:
        return text
    host = text.partition(" ")[0].removesuffix(":443")
    command = f"./claude-runner servers grant fetch --host {host}"
    return f"{host} is not granted to this server; its owner can: {command}"


def _may_connect() -> bool:
    """Return whether the sandbox lets us open sockets at all."""
    try:
        socket.socket().close()
    except PermissionError:
        return False
    return True


async def _page_of(url: str, response: httpx2.Response) -> Answer:
    """Return a whole page. Raises FetchError: there is none, or none that can be read."""
    status, kind, charset = response.status_code, *_kind_of(response)
    if not response.is_success:
        raise FetchError(f"{url} answered {status} {response.reason_phrase}".rstrip() + ".")
    if not is_readable(kind):
        raise FetchError(f"{url} is {kind}: it holds no text that could be shown.")
    content = await _content(response, MAX_BYTES)
    if content is None:
        raise FetchError(f"{url} is larger than {MAX_BYTES // 1024**2} MiB.")
    if not kind:
        kind = "text/html" if is_html(kind, content) else "text/plain"
        if b"\0" in content[:1024]:
            raise FetchError(f"{url} holds no text that could be shown.")
    return Answer(url, status, kind, charset, content)


async def _robots_of(url: str, response: httpx2.Response) -> Answer:
    """Return a robots.txt, or as much of it as counts."""
    content = b""
    if response.is_success:
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > MAX_ROBOTS_BYTES:
                break
    return Answer(url, response.status_code, "", None, content[:MAX_ROBOTS_BYTES])


async def _content(response: httpx2.Response, most: int) -> bytes | None:
    """Return what a response holds; None when that is more than `most` bytes."""
    said = response.headers.get("content-length", "")
    if said.isdecimal() and len(said) < 20 and int(said) > most:
        return None
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > most:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _kind_of(response: httpx2.Response) -> tuple[str, str | None]:
    """Return media type and charset (RFC 9110, section 8.3)."""
    header = Message()
    header["content-type"] = response.headers.get("content-type", "")[:MAX_HEADER]
    kind = header["content-type"].partition(";")[0].strip().lower()
    charset = header.get_param("charset")
    return kind, charset if isinstance(charset, str) else None
