"""A host of client id metadata documents, by https behind a public address that we make up."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.oauth.documents.fetch import Fetcher
from tests.oauth.parts import CLAUDE_CALLBACK
from tests.origin import HOST
from tests.outside import PUBLIC, FakeOutside

DOCUMENT_PATH = "/oauth/client.json"
DOCUMENT_ID = f"https://{HOST}{DOCUMENT_PATH}"
DESCRIBED: dict[str, Any] = {
    "client_id": DOCUMENT_ID,
    "client_name": "Documented",
    "redirect_uris": [CLAUDE_CALLBACK, "http://localhost/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none",
}
HEAD_END = b"\r\n\r\n"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def raw(
    body: bytes, status: str = "200 OK", kind: str = "application/json", **headers: str
) -> bytes:
    """Return a whole answer."""
    named = {"content-type": kind, "content-length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


def document(changes: dict[str, Any] | None = None, **headers: str) -> bytes:
    """Return an answer with the document; None leaves a field out."""
    fields = {**DESCRIBED, **(changes or {})}
    found = {name: value for name, value in fields.items() if value is not None}
    return raw(json.dumps(found).encode(), **headers)


@dataclass
class DocumentHost:
    """Answers every request in the same way, which a test may change."""

    outside: FakeOutside
    tls: ssl.SSLContext
    port: int
    answer: bytes | Answer = field(default_factory=document)
    requests: list[bytes] = field(default_factory=list[bytes])

    def fetcher(self) -> Fetcher:
        """Return what reaches this host, and what else there is outside."""
        return Fetcher(self.outside, self.tls)

    def leads_to(self, *answers: list[str]) -> None:
        """Change what its name leads to: one answer after the other, the last one for ever."""
        self.outside = FakeOutside({HOST: list(answers)}, {(PUBLIC, 443): self.port})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self.requests.append(await reader.readuntil(HEAD_END))
            if isinstance(self.answer, bytes):
                writer.write(self.answer)
            else:
                await self.answer(writer)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def open_host(certificate: tuple[Path, Path]) -> AsyncGenerator[DocumentHost]:
    """Serve documents."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    host = DocumentHost(FakeOutside({}), trusted, 0)
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=context)
    host.port = server.sockets[0].getsockname()[1]
    host.leads_to([PUBLIC])
    async with server:
        yield host
