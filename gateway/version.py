"""The version of this checkout, as `pyproject.toml` states it."""

import tomllib
from pathlib import Path

_PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def read_version() -> str:
    """Return the version, such as ``0.1.0``."""
    with _PYPROJECT.open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
