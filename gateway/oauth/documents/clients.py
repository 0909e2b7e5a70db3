"""Clients by their documents: fetched, kept while they are good, and longer where that fails."""

import logging
import time
from collections.abc import Callable

from gateway.domain.oauth import Client, ClientSource
from gateway.oauth.documents.caching import fresh_s
from gateway.oauth.documents.fetch import Fetcher
from gateway.oauth.documents.rules import Unreadable, is_document_id, read_document
from gateway.oauth.newcomers import Newcomers, Rate

log = logging.getLogger(__name__)

STALE_S = 30 * 24 * 3600
"""How long after its last fetch a document still counts while its host does not give it out."""
RATE = 30
"""Fetches in RATE_S; each is the owner's browser being sent here."""
RATE_S = 60.0
MAX_KNOWN_FRESH = 1000
"""Beyond that many documents all are asked for again."""


class DocumentClients:
    """Finds out who a client is from the document at its id."""

    def __init__(
        self,
        newcomers: Newcomers,
        fetcher: Fetcher,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._newcomers = newcomers
        self._fetcher = fetcher
        self._now_ms = now_ms
        self._rate = Rate(RATE, RATE_S, monotonic)
        self._fresh_until: dict[str, int] = {}

    async def current(self, client_id: str, known: Client | None) -> Client | None:
        """Return a client as its document has it, or had it where it cannot be read now.

        None when the id is no address of a document. Raises Unreadable and StoreError.
        """
        if not is_document_id(client_id):
            return known
        if known is not None and self._now_ms() < self._fresh_until.get(client_id, 0):
            return known
        try:
            return await self._fetch(client_id, known)
        except Unreadable as error:
            if known is None or error.withdrawn or self._is_too_old(known):
                raise
            log.warning("The document %s is used as it was: %s", client_id, error)
            return known

    async def _fetch(self, client_id: str, known: Client | None) -> Client:
        if not self._rate.take():
            raise Unreadable("too many documents are asked for at the moment; wait a minute")
        fetched = await self._fetcher.fetch(client_id)
        described, now = read_document(client_id, fetched.body), self._now_ms()
        client = Client(
            client_id,
            described.name,
            ClientSource.DOCUMENT,
            described.redirect_uris,
            created_at=now if known is None else known.created_at,
            fetched_at=now,
        )
        await self._newcomers.admit(client)
        if len(self._fresh_until) >= MAX_KNOWN_FRESH:
            self._fresh_until.clear()
        self._fresh_until[client_id] = now + fresh_s(fetched.headers) * 1000
        return client

    def _is_too_old(self, known: Client) -> bool:
        return (known.fetched_at or 0) + STALE_S * 1000 <= self._now_ms()
