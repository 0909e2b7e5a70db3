"""The version of this checkout, as `pyproject.toml` states it, and of what carries its requests."""

import tomllib
from importlib.metadata import version
from pathlib import Path

from gateway.variables import HttpServer

_PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def read_version() -> str:
    """Return the version, such as ``0.1.0``."""
    with _PYPROJECT.open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def describe_http_server(chosen: HttpServer) -> str:
    """Return the HTTP server and the event loop with their versions."""
    return f"{chosen} {version(chosen)} on uvloop {version('uvloop')}"
