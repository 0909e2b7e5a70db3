"""The clients: who one is, whether it is really it, and the one that the gateway makes itself."""

import hmac
import secrets
from dataclasses import dataclass, field

from gateway.auth.run_tokens import token_hash
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.oauth import Client, ClientSource
from gateway.oauth.documents.clients import DocumentClients
from gateway.oauth.errors import invalid_client
from gateway.secret import Secret
from gateway.store.oauth_clients import OAuthClientTable

NAME = "Claude (auto)"
REDIRECT_URIS = (
    "https://claude.ai/api/mcp/auth_callback",
    "https://claude.com/api/mcp/auth_callback",
    "http://localhost/callback",
    "http://127.0.0.1/callback",
)
"""Of claude.ai and its apps, and of Claude Code with any port."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The pre-registered client as the settings name it; no secret makes it a public one."""

    id: str
    secret: Secret | None


@dataclass(frozen=True, slots=True)
class MadeClient:
    """A client together with its secret, which exists only here."""

    id: str
    secret: str = field(repr=False)


class Clients:
    """Finds clients and checks their secrets."""

    def __init__(
        self,
        table: OAuthClientTable,
        configured: Configured | None,
        documents: DocumentClients | None,
    ) -> None:
        """`documents`: None where the gateway fetches none."""
        self._table = table
        self._configured = configured
        self._documents = documents

    @property
    def fetches_documents(self) -> bool:
        """True when clients may be known by documents of theirs."""
        return self._documents is not None

    async def find(self, client_id: str) -> Client | None:
        """Return a client as it is stored, None when it is unknown. Raises StoreError."""
        return await self._table.get(client_id)

    async def look_up(self, client_id: str) -> Client | None:
        """Return a client as its document has it today, if it has one; None when it is unknown.

        Raises Unreadable and StoreError.
        """
        known = await self.find(client_id)
        if self._documents is None or (known and known.source is not ClientSource.DOCUMENT):
            return known
        return await self._documents.current(client_id, known)

    async def authenticate(self, client_id: str, secret: str | None) -> Client:
        """Return the client that these belong to. Raises OAuthError and StoreError."""
        client = await self.find(client_id)
        wanted = None if client is None else self._secret_hash(client)
        given = None if secret is None else token_hash(secret)
        # Public clients send an empty secret or one that they were never given.
        if client is None or (wanted and not hmac.compare_digest(given or "", wanted)):
            raise invalid_client()
        return client

    def _secret_hash(self, client: Client) -> str | None:
        if self._configured is not None and client.id == self._configured.id:
            secret = self._configured.secret
            return None if secret is None else token_hash(secret.reveal())
        return client.secret_hash


async def preregister(table: OAuthClientTable, configured: Configured | None) -> MadeClient | None:
    """Make sure that there is one pre-registered client; return it when it was made just now."""
    if configured is not None:
        await table.remove_other_preregistered(configured.id)
        await table.put(_preregistered(configured.id, None))
        return None
    known = await table.preregistered()
    if known is not None and known.secret_hash is not None:
        return None
    # One without a secret was the settings', which name it no more.
    return await rotate(table)


async def rotate(table: OAuthClientTable) -> MadeClient:
    """Give the pre-registered client another id and secret; what it was granted ends."""
    made = MadeClient(new_id("client"), new_secret())
    await table.put(_preregistered(made.id, token_hash(made.secret)))
    await table.remove_other_preregistered(made.id)
    return made


def env_lines(made: MadeClient) -> str:
    """Return a client as two lines of `.env`."""
    return f"OAUTH_CLIENT_ID={made.id}\nOAUTH_CLIENT_SECRET={made.secret}\n"


def _preregistered(client_id: str, secret_hash: str | None) -> Client:
    return Client(
        client_id,
        NAME,
        ClientSource.PREREGISTERED,
        REDIRECT_URIS,
        created_at=utc_ms(),
        secret_hash=secret_hash,
    )


def new_secret() -> str:
    """Return a fresh client secret; only its hash is kept."""
    return f"crs_{secrets.token_urlsafe(32)}"
