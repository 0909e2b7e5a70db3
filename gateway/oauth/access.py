"""Which clients there are and what each was granted, and the end of it."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.auth.access_tokens import AccessTokens
from gateway.domain.oauth import Client, ClientSource, Grant
from gateway.store import Store


@dataclass(frozen=True, slots=True)
class ClientAccess:
    """A client and its grants that a code or token stands for, newest first."""

    client: Client
    grants: tuple[Grant, ...]

    @property
    def can_be_removed(self) -> bool:
        """False for the client of the settings or of the gateway, which is replaced instead."""
        return self.client.source is not ClientSource.PREREGISTERED


class ClientsAccess:
    """Lists and ends what clients may do."""

    def __init__(
        self, store: Store, access_tokens: AccessTokens, now_ms: Callable[[], int]
    ) -> None:
        self._clients = store.oauth_clients
        self._grants = store.oauth_grants
        self._access_tokens = access_tokens
        self._now_ms = now_ms

    async def all(self) -> tuple[ClientAccess, ...]:
        """Return every client, those with grants first, then the newest. Raises StoreError."""
        grants = await self._grants.live(self._now_ms())
        found = [
            ClientAccess(client, tuple(each for each in grants if each.client_id == client.id))
            for client in await self._clients.all()
        ]
        return tuple(sorted(found, key=lambda each: not each.grants))

    async def end_grant(self, grant_id: str) -> bool:
        """End a grant with all that a client has open by it; False when there is none."""
        if await self._grants.get(grant_id) is None:
            return False
        await self._grants.revoke(grant_id, self._now_ms())
        self._access_tokens.ended((grant_id,))
        return True

    async def remove_client(self, client_id: str) -> bool:
        """Forget a client with all that it was granted; False when that cannot be done."""
        client = await self._clients.get(client_id)
        if client is None or client.source is ClientSource.PREREGISTERED:
            return False
        grants = await self._grants.of_client(client_id)
        await self._clients.remove(client_id)
        self._access_tokens.client_ended(client_id, (each.id for each in grants))
        return True
