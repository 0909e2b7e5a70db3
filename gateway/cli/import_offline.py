"""Seals the secrets of imported servers in a home that no gateway holds."""

from collections.abc import Sequence

from gateway.audit.actions import STORE_CREDENTIAL
from gateway.audit.offline import note_offline
from gateway.cli.exits import Exit, Failure
from gateway.credentials import CredentialRefused, Credentials
from gateway.importing.plans import Plan
from gateway.local import GatewayLock
from gateway.settings import Settings
from gateway.store import StoreError
from gateway.vault import VaultError
from gateway.vault.opening import open_unlocked


async def seal(settings: Settings, plans: Sequence[Plan]) -> None:
    """Store the values of all plans. Raises Failure and HomeTaken."""
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
