"""Opens the authorization server of a gateway by its settings."""

import ssl
import sys

from gateway.auth.endings import Endings
from gateway.domain.clock import utc_ms
from gateway.oauth.clients import Configured
from gateway.oauth.documents.fetch import Fetcher
from gateway.oauth.first_client import show_client
from gateway.oauth.keys import open_fingerprints
from gateway.oauth.server import AuthorizationServer
from gateway.settings import Settings
from gateway.store import Store
from gateway.vault import Vault
from sandboxes.network.outside import Outside
from sandboxes.network.upstream_proxy import VARIABLES


async def open_oauth(
    settings: Settings, store: Store, vault: Vault, endings: Endings, outside: Outside
) -> AuthorizationServer:
    """Return the server; show a client that had to be made. Raises StoreError and SealBroken."""
    fingerprints = await open_fingerprints(settings.oauth_secret_key, store.oauth_keys, vault)
    configured = None
    if settings.oauth_client_id is not None:
        configured = Configured(settings.oauth_client_id, settings.oauth_client_secret)
    oauth = AuthorizationServer(
        store, fingerprints, configured, utc_ms, endings, _fetcher(settings, outside)
    )
    if (made := await oauth.preregister()) is not None:
        show_client(made, settings.home, sys.stderr)
    return oauth


def _fetcher(settings: Settings, outside: Outside) -> Fetcher | None:
    """Return what fetches documents of clients; None behind a proxy, which would dial for us."""
    if any(settings.index.variables.get(name) for name in VARIABLES):
        return None
    return Fetcher(outside, ssl.create_default_context())
