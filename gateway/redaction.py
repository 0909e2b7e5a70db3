"""What of this gateway is a secret, and that no log line has one. The supervisor knows servers'.

Above: `serving`, which logs, and `main`.
"""

import logging
import sys
from dataclasses import fields
from types import TracebackType
from urllib.parse import unquote, urlsplit

from gateway.domain.secret import Sealed
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.store import Store
from gateway.vault import SealBroken, Vault
from supervisor.redaction import Redactor

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

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


class HidingFormatter(logging.Formatter):
    """Formats records, with their tracebacks, without secrets."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(LOG_FORMAT)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return self._redactor.hide_text(super().format(record))


def log_to_stderr(redactor: Redactor) -> None:
    """Have everything that is logged, and what ends the process, go to standard error, hidden."""
    # Standard output may be an MCP pipe. Libraries speak up only when something is wrong.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(HidingFormatter(redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("gateway", "claude_runner"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger().critical("The process ends", exc_info=(kind, error, trace))


def _secret_part(value: str) -> str:
    """Return a value, of an address only its password."""
    if "://" not in value:
        return value
    return unquote(urlsplit(value).password or "")
