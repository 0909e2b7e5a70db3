"""A small reverse proxy that can be told to do what real ones do wrong."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from gateway.listening import listen
from gateway.relay.http import Receive, Scope, Send, read_body, send_body

HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "date", "host"})

Early = Callable[[Scope, bytes], tuple[int, Mapping[bytes, bytes], bytes] | None]
Headers = dict[str, str]


@dataclass
class Fault:
    """What goes wrong; by default nothing does."""

    early: Early | None = None
    """Answers a request by itself, or returns None."""
    request: Callable[[Headers, str], Headers] = lambda headers, _: headers
    answer: Callable[[int, Headers], tuple[int, Headers]] = lambda status, headers: (
        status,
        headers,
    )
    buffers: bool = False


@dataclass
class Proxy:
    """Passes requests on to the gateway at `upstream`."""

    http: httpx2.AsyncClient
    upstream: str = ""
    fault: Fault = field(default_factory=Fault)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        early = self.fault.early(scope, body) if self.fault.early else None
        if early is not None:
            status, headers, page = early
            await send_body(send, status, page, content_type=b"text/html", headers=headers)
            return
        await self._pass_on(scope, body, send)

    async def _pass_on(self, scope: Scope, body: bytes, send: Send) -> None:
        given = {name.decode(): value.decode() for name, value in scope["headers"]}
        given |= {"x-forwarded-for": scope["client"][0], "x-forwarded-proto": scope["scheme"]}
        given = self.fault.request(given, self.upstream)
        query = scope["query_string"].decode()
        address = f"{self.upstream}{scope['path']}" + (f"?{query}" if query else "")
        async with self.http.stream(
            scope["method"], address, headers=given, content=body
        ) as response:
            kept = {
                n.lower(): v for n, v in response.headers.items() if n.lower() not in HOP_BY_HOP
            }
            status, kept = self.fault.answer(response.status_code, kept)
            fields = [(name.encode(), value.encode()) for name, value in kept.items()]
            await send({"type": "http.response.start", "status": status, "headers": fields})
            held = b""
            async for part in response.aiter_raw():
                if self.fault.buffers:
                    held += part
                else:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": held})


@asynccontextmanager
async def served(app: Any, certificate: Path | None = None) -> AsyncGenerator[int]:
    """Serve an application on a free port of loopback, with TLS if there is a certificate."""
    sock = listen("127.0.0.1", 0)
    config, port, stop = Config(), sock.getsockname()[1], anyio.Event()
    config.bind = [f"fd://{sock.detach()}"]
    config.include_server_header = False
    config.include_date_header = False
    config.graceful_timeout = 0.1
    if certificate is not None:
        config.certfile = config.keyfile = str(certificate)
    async with anyio.create_task_group() as group:

        async def run() -> None:
            await serve(cast(ASGIFramework, app), config, shutdown_trigger=stop.wait)

        group.start_soon(run)
        try:
            yield port
        finally:
            stop.set()


def make_certificate(path: Path, *, days: int = 60) -> Path:
    """Write a key and a certificate for localhost that signed itself; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
