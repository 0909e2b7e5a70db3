"""The key under which codes and tokens are hashed: the settings', or one of the gateway's own."""

import secrets

from gateway.auth.access_tokens import Fingerprints
from gateway.secret import Secret
from gateway.store.oauth_keys import OAuthKeyTable
from gateway.vault import Vault

NAME = "tokens"
_TABLE = "oauth_keys"


async def open_fingerprints(
    setting: Secret | None, table: OAuthKeyTable, vault: Vault
) -> Fingerprints:
    """Return the hashes of this gateway; another key signs everybody out.

    Raises StoreError and SealBroken.
    """
    if setting is not None:
        return Fingerprints(setting.reveal().encode())
    sealed = await table.get(NAME)
    if sealed is not None:
        return Fingerprints(vault.unseal("oauth", NAME, sealed, table=_TABLE).encode())
    fresh = secrets.token_hex(32)
    await table.add(NAME, vault.seal("oauth", NAME, fresh, table=_TABLE))
    return Fingerprints(fresh.encode())
