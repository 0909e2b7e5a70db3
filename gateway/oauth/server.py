"""Puts the authorization server together."""

from collections.abc import Callable

from quart import Blueprint

from gateway.auth.access_tokens import AccessTokens, Fingerprints
from gateway.auth.endings import Endings
from gateway.auth.origins import Origins
from gateway.dashboard.browser import Browser
from gateway.oauth.access import ClientsAccess
from gateway.oauth.clients import Clients, Configured, MadeClient, preregister, rotate
from gateway.oauth.consent import Consent
from gateway.oauth.documents.clients import DocumentClients
from gateway.oauth.documents.fetch import Fetcher
from gateway.oauth.endpoints import Endpoints
from gateway.oauth.grants import Grants
from gateway.oauth.journal import Journal
from gateway.oauth.newcomers import Newcomers
from gateway.oauth.registration import Registrations
from gateway.store import Store

UNUSED_LIFE_S = 24 * 3600
"""How long a client is kept that registered itself and was never approved."""


class RotationRefused(Exception):
    """The client is not the gateway's to change; the message is one sentence."""

    def __init__(self) -> None:
        super().__init__("The client is the one of OAUTH_CLIENT_ID; change it where that is set.")


class AuthorizationServer:
    """Clients, codes and tokens of one gateway."""

    def __init__(
        self,
        store: Store,
        fingerprints: Fingerprints,
        configured: Configured | None,
        now_ms: Callable[[], int],
        endings: Endings,
        fetcher: Fetcher | None,
    ) -> None:
        """`fetcher`: of documents that describe clients; None: there are no such clients."""
        self.fingerprints = fingerprints
        self.access_tokens = AccessTokens(store.oauth_grants, fingerprints, now_ms, endings)
        self.journal = Journal(now_ms)
        self._store = store
        self._configured = configured
        self._now_ms = now_ms
        self._newcomers = Newcomers(store.oauth_clients)
        documents = fetcher and DocumentClients(self._newcomers, fetcher, now_ms)
        self._clients = Clients(store.oauth_clients, configured, documents)
        self._grants = Grants(store.oauth_grants, fingerprints, self.access_tokens, now_ms)

    async def preregister(self) -> MadeClient | None:
        """Make sure of the pre-registered client; return it when it was made just now."""
        return await preregister(self._store.oauth_clients, self._configured)

    async def rotate(self) -> MadeClient:
        """Replace the pre-registered client. Raises RotationRefused and StoreError."""
        if self._configured is not None:
            raise RotationRefused
        old = await self._store.oauth_clients.preregistered()
        ended = await self._store.oauth_grants.of_client(old.id) if old is not None else ()
        made = await rotate(self._store.oauth_clients)
        if old is not None:
            self.access_tokens.client_ended(old.id, (grant.id for grant in ended))
        return made

    async def prune(self) -> None:
        """Forget what nobody can use any more. Raises StoreError."""
        await self._grants.prune()
        await self._store.oauth_clients.remove_unused(self._now_ms() - UNUSED_LIFE_S * 1000)

    def endpoints(self, origins: Origins) -> Endpoints:
        """Return the routes for programs."""
        registrations = Registrations(self._newcomers)
        return Endpoints(self._clients, registrations, self._grants, origins, self.journal)

    def access(self) -> ClientsAccess:
        """Return what the owner may see and end."""
        return ClientsAccess(self._store, self.access_tokens, self._now_ms)

    def pages(self, browser: Browser) -> Blueprint:
        """Return the routes for the owner."""
        return Consent(browser, self._clients, self._grants, self.journal, self._now_ms).blueprint()
