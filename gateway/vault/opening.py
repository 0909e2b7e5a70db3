"""Opens the database of a home together with its vault, once it is sure that the key is right."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.settings import Settings
from gateway.store import Store
from gateway.vault.master_key import KeySources
from gateway.vault.vault import Know, Vault, choose_master_key, forget


def key_sources(settings: Settings) -> KeySources:
    """Return where the master key may be."""
    return KeySources(settings.master_key_file, settings.master_key_credential, settings.master_key)


@asynccontextmanager
async def open_unlocked(
    settings: Settings, know: Know = forget
) -> AsyncGenerator[tuple[Store, Vault]]:
    """Open the store and its vault. A key that does not fit is refused before anything is written.

    `know` is told each master key in use, so that it can be hidden in logs.

    Raises StoreError and VaultError.
    """
    url = settings.database_url.reveal() if settings.database_url else None
    path, sources = settings.home / "jobs.db", key_sources(settings)
    choose_master_key(sources, await Store.peek_data_keys(url, path=path))
    async with Store.open(url, path=path) as store:
        yield store, await Vault.open(sources, store.data_keys, know)
