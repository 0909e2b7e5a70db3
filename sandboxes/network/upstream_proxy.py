"""The proxy by which this machine itself reaches the internet, where it has one.

A build never sees its address nor its password: our own proxy asks it on the build's behalf.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import anyio
from anyio import EndOfStream
from anyio.abc import ByteStream

from sandboxes.errors import SandboxError
from sandboxes.network.outside import Internet

VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
EXCEPTIONS = ("NO_PROXY", "no_proxy")
DEFAULT_PORT = 80
MAX_ANSWER_BYTES = 16 * 1024
END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class UpstreamProxy:
    """Where it is, and what it wants to know."""

    host: str
    port: int
    past: str = ""
    """Hosts that are reached without it, as NO_PROXY names them."""
    authorization: str | None = field(default=None, repr=False)


def read_upstream(variables: Mapping[str, str]) -> UpstreamProxy | None:
    """Return this machine's proxy; None: it has none.

    Raises:
        SandboxError: it is one that we cannot ask.
    """
    url = next((variables[name] for name in VARIABLES if variables.get(name)), None)
    if url is None:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise SandboxError(
            "HTTPS_PROXY names a proxy that is not asked in plain http, which builds cannot use; "
            "name one with an http:// address."
        )
    secret = None
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        secret = base64.b64encode(pair.encode()).decode()
    past = next((variables[name] for name in EXCEPTIONS if variables.get(name)), "")
    return UpstreamProxy(parts.hostname, parts.port or DEFAULT_PORT, past, secret)


class Behind(Internet):
    """The internet from a machine that reaches it by a proxy."""

    def __init__(self, upstream: UpstreamProxy) -> None:
        super().__init__()
        self._upstream = upstream

    async def connect(self, name: str, port: int) -> ByteStream:
        """Return a tunnel through the machine's proxy, or a connection where it wants none."""
        upstream = self._upstream
        if _is_past(name, upstream.past):
            return await super().connect(name, port)
        far = await anyio.connect_tcp(upstream.host, upstream.port)
        try:
            await _ask(far, f"{name}:{port}", upstream.authorization)
        except BaseException:
            await anyio.aclose_forcefully(far)
            raise
        return far


def _is_past(name: str, past: str) -> bool:
    """Return whether NO_PROXY names a host, a domain above it, or everything."""
    words = [word.strip().lstrip(".").lower() for word in past.split(",")]
    domains = [word.rpartition(":")[0] or word for word in words if word]
    return any(word == "*" or name == word or name.endswith(f".{word}") for word in domains)


async def _ask(far: ByteStream, target: str, authorization: str | None) -> None:
    proof = f"Proxy-Authorization: Basic {authorization}\r\n" if authorization else ""
    await far.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{proof}\r\n".encode("ascii"))
    answer = b""
    while END not in answer and len(answer) <= MAX_ANSWER_BYTES:
        try:
            answer += await far.receive()
        except EndOfStream:
            break
    status = answer.partition(b"\r\n")[0].split(b" ")
    if len(status) < 2 or status[1] != b"200":
        raise ConnectionRefusedError(f"this machine's proxy refused {target}")
