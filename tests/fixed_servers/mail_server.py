"""A real SMTP server on loopback, with or without TLS and users."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = "runner", "canary-of-smtp-77"


@dataclass
class PostOffice:
    """What a mail server took, and how it answers."""

    port: int = 0
    mails: list[Any] = field(default_factory=list[Any])
    answer: str = "250 OK"
    """To the message itself; empty: it hangs up instead; `250-...`: the rest never comes."""
    before_answer: Callable[[], None] = lambda: None
    """To a recipient, and to the message."""
    refused: str = "nobody@example.org"
    secured: list[bool] = field(default_factory=list[bool])

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take a recipient, unless it is the one that is refused."""
        self.before_answer()
        if address == self.refused:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail."""
        self.mails.append(envelope)
        self.secured.append(session.ssl is not None)
        self.before_answer()
        if not self.answer:
            server.transport.abort()
        elif self.answer.startswith("250-"):
            server.transport.write(f"{self.answer}\r\n".encode())
            # It is cancelled when the client hangs up.
            await asyncio.Event().wait()
        return self.answer


@asynccontextmanager
async def post_office(
    certificate: tuple[Path, Path] | None = None, *, implicit: bool = False, auth: bool = False
) -> AsyncGenerator[PostOffice]:
    """Serve SMTP: with STARTTLS if there is a certificate, or with TLS from the first byte."""
    office = PostOffice()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)

    def authenticate(_s: Any, _session: Any, _e: Any, _mechanism: str, given: Any) -> AuthResult:
        known = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)

    def serve() -> SMTP:
        return SMTP(
            office,
            hostname="here",
            enable_SMTPUTF8=True,
            tls_context=None if implicit else context,
            require_starttls=context is not None and not implicit,
            authenticator=authenticate if auth else None,
            auth_required=auth,
            auth_require_tls=not implicit,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=context if implicit else None)
    async with server:
        office.port = server.sockets[0].getsockname()[1]
        yield office
