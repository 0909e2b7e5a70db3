"""What an import needs of the database: which secrets are there, and sealing more of them."""

from collections.abc import Sequence

from gateway.audit.actions import STORE_CREDENTIAL
from gateway.audit.offline import note_offline
from gateway.cli.exits import Exit, Failure
from gateway.credentials import CredentialRefused, Credentials
from gateway.importing.plans import Plan
from gateway.local import GatewayLock
from gateway.settings import Settings
from gateway.store import Store, StoreError
from gateway.vault import VaultError
from gateway.vault.opening import open_unlocked


async def kept_keys(settings: Settings) -> dict[str, set[str]]:
    """Return which keys have a value by server; a gateway may run. Raises Failure."""
    url = settings.database_url.reveal() if settings.database_url else None
    found: dict[str, set[str]] = {}
    try:
        stored = await Store.peek_credentials(url, path=settings.home / "jobs.db")
    except StoreError as error:
        raise Failure(Exit.FAILED, str(error)) from error
    for server, key in stored:
        found.setdefault(server, set()).add(key)
    return found


async def seal(settings: Settings, plans: Sequence[Plan]) -> None:
    """Store the values of all plans in a home that no gateway holds.

    Raises Failure and HomeTaken.
    """
    with GatewayLock(settings.home):
        try:
            async with open_unlocked(settings) as (store, vault):
                credentials = Credentials(store.credentials, vault)
                for made in plans:
                    for key, value in made.values.items():
                        await credentials.set(made.name, key, value)
                        target = f"{made.name} {key}"
                        await note_offline(store, settings, STORE_CREDENTIAL, target=target)
        except (StoreError, VaultError, CredentialRefused) as error:
            raise Failure(Exit.FAILED, str(error)) from error
