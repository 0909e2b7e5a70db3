"""What of this gateway is a secret. The supervisor knows servers'.

Above: `serving` and `main`.
"""

import logging
from dataclasses import fields
from urllib.parse import unquote, urlsplit

from gateway.domain.secret import Sealed
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.store import Store
from gateway.vault import SealBroken, Vault
from supervisor.redaction import Redactor

log = logging.getLogger(__name__)


def open_redactor(settings: Settings) -> Redactor:
    """Return a redactor that knows every secret setting."""
    redactor = Redactor()
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Secret):
            redactor.know(field.name.upper(), _secret_part(value.reveal()))
    return redactor


async def know_stored(redactor: Redactor, store: Store, vault: Vault) -> None:
    """Have the secrets of webhooks hidden too. Raises StoreError."""
    for webhook in await store.webhooks.all():
        sealed = await store.webhooks.sealed_secret(webhook.id)
        if sealed is not None:
            _know_webhook(redactor, vault, webhook.id, sealed)


def _know_webhook(redactor: Redactor, vault: Vault, webhook_id: str, sealed: Sealed) -> None:
    try:
        redactor.know(
            "secret of a webhook", vault.unseal(webhook_id, "secret", sealed, table="webhooks")
        )
    except SealBroken as error:
        log.warning("%s", error)


def _secret_part(value: str) -> str:
    """Return a value, of an address only its password."""
    if "://" not in value:
        return value
    return unquote(urlsplit(value).password or "")
