"""Secrets that systemd hands to the service as files (systemd.exec(5), LoadCredential)."""

from collections.abc import Mapping
from pathlib import Path

from gateway.variables import Variable


def credentials_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of this service's credentials, or None."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) if folder else None


def find_credential(variable: Variable[object], folder: Path | None) -> Path | None:
    """Return the file that holds a secret setting under its own name, or None.

    A setting whose file is a setting too has a credential of another name.
    """
    if folder is None or not variable.secret or variable.file_is_a_setting:
        return None
    path = folder / variable.name
    return path if path.exists() else None
