"""How a gateway gets its shelf from its settings."""

from gateway.run_files.shelf import Shelf
from gateway.settings import Settings
from gateway.store import Store
from sandboxes.policy import MIB
from supervisor.redaction import Redactor


def open_shelf(settings: Settings, store: Store, redactor: Redactor) -> Shelf:
    """Return where the files of runs are kept."""
    return Shelf(settings.home, store, redactor.hide_text, bytes=settings.run_files_mb * MIB)
