"""Seals secrets for the store: AES-256-GCM under a data key, which the master key wraps.

Above: credentials, webhooks, the authorization server. Below: the tables of the store.
"""

from gateway.vault.errors import (
    MasterKeysDiffer,
    MasterKeyUnusable,
    RotationImpossible,
    SealBroken,
    VaultError,
    WrongMasterKey,
)
from gateway.vault.master_key import KeySources
from gateway.vault.vault import KeyStanding, Vault

__all__ = [
    "KeySources",
    "KeyStanding",
    "MasterKeyUnusable",
    "MasterKeysDiffer",
    "RotationImpossible",
    "SealBroken",
    "Vault",
    "VaultError",
    "WrongMasterKey",
]
