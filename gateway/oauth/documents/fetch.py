"""Fetches a client's document from wherever a stranger says, without reaching anything inside.

https alone, at its own port; the host's addresses are looked up once, and only one that is public
is dialled, as it was checked, so that a second answer of its name servers changes nothing. No
redirect is followed, nothing is decompressed, and all of it is bounded in size and time.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
import h11
from anyio import BrokenResourceError, EndOfStream
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from gateway.oauth.documents.rules import HTTPS_PORT, Unreadable
from sandboxes.network.addresses import is_allowed
from sandboxes.network.outside import Outside

FETCH_S = 5.0
"""For names, connection, handshake and answer together: the owner looks at an empty page."""
MAX_BYTES = 10 * 1024
MAX_HEAD_BYTES = 16 * 1024
MAX_RECEIVED_BYTES = 64 * 1024
"""With heads, and chunks of a byte each; what comes beyond is no document."""
MAX_ADDRESSES = 4
"""Tried one after the other; a machine may have no way to those of one family."""
CHUNK_BYTES = 16 * 1024
WITHDRAWN = (404, 410)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: its body, and its headers by lower-case name."""

    body: bytes
    headers: Mapping[str, str]


class Fetcher:
    """Fetches documents through `outside`; nothing else decides where it can reach."""

    def __init__(self, outside: Outside, tls: ssl.SSLContext) -> None:
        self._outside = outside
        self._tls = tls

    async def fetch(self, address: str) -> Fetched:
        """Return what is at an address that `is_document_id`. Raises Unreadable."""
        parts = urlsplit(address)
        host = parts.hostname or ""
        try:
            with anyio.fail_after(FETCH_S):
                async with await self._connect(host) as stream:
                    return await _ask(stream, host, parts.path)
        except TimeoutError:
            raise Unreadable(f"{host} took longer than {FETCH_S:g} s") from None
        except (BrokenResourceError, EndOfStream, h11.RemoteProtocolError):
            raise Unreadable(f"{host} did not answer as it must") from None
        except ssl.SSLError:
            raise Unreadable(f"{host} cannot prove that it is {host}") from None

    async def _connect(self, host: str) -> ByteStream:
        try:
            found = await self._outside.resolve(host, HTTPS_PORT)
        except OSError:
            raise Unreadable(f"the name {host} is not known") from None
        checked = [address for address in found if is_allowed(address, private=False)]
        if not checked:
            raise Unreadable(f"{host} has no public address")
        for address in checked[:MAX_ADDRESSES]:
            try:
                stream = await self._outside.dial(address, HTTPS_PORT)
            except OSError:
                continue
            return await self._secure(stream, host)
        raise Unreadable(f"{host} cannot be reached")

    async def _secure(self, stream: ByteStream, host: str) -> ByteStream:
        try:
            return await TLSStream.wrap(
                stream, hostname=host, ssl_context=self._tls, standard_compatible=False
            )
        except BaseException:
            await anyio.aclose_forcefully(stream)
            raise


async def _ask(stream: ByteStream, host: str, path: str) -> Fetched:
    http = h11.Connection(h11.CLIENT, MAX_HEAD_BYTES)
    headers = [
        ("Host", host),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", "claude-runner"),
        ("Connection", "close"),
    ]
    request = http.send(h11.Request(method="GET", target=path, headers=headers)) or b""
    await stream.send(request + (http.send(h11.EndOfMessage()) or b""))
    answer, body, received = None, b"", 0
    while True:
        match http.next_event():
            case h11.Response() as head:
                answer = _checked(head)
            case h11.Data() as part:
                body += part.data
                if len(body) > MAX_BYTES:
                    raise Unreadable(f"it is larger than {MAX_BYTES} bytes")
            case h11.EndOfMessage() if answer is not None:
                return Fetched(body, answer)
            case h11.NEED_DATA:
                data = await _received(stream)
                received += len(data)
                if received > MAX_RECEIVED_BYTES:
                    raise Unreadable("what is there has no end")
                http.receive_data(data)
            case _:
                continue


async def _received(stream: ByteStream) -> bytes:
    """Return what came; nothing at the end of the connection."""
    try:
        return await stream.receive(CHUNK_BYTES)
    except EndOfStream:
        return b""


def _checked(head: h11.Response) -> Mapping[str, str]:
    """Return the headers of an answer that may be a document. Raises Unreadable."""
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
    if head.status_code != 200:
        withdrawn = head.status_code in WITHDRAWN
        raise Unreadable(f"its host answered {head.status_code}", withdrawn=withdrawn)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Unreadable("it came compressed, which was not asked for")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise Unreadable("what is there is not JSON")
    return headers
