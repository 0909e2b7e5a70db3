"""Whole gateways in this process, without a listener."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.main import Gateway, build
from gateway.redaction import open_redactor
from gateway.settings import load

PUBLIC = "https://runner.example.org"
BASE = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gateway]:
    """A gateway without servers that trusts no proxy."""
    folder = tmp_path_factory.mktemp("reach")
    async with open_gateway(environment(folder), BASE) as built:
        yield built


@asynccontextmanager
async def open_gateway(environ: dict[str, str], base: str) -> AsyncGenerator[Gateway]:
    """Build a gateway in this process and run its applications."""
    settings = load(environ, None)
    async with (
        build(settings, base, open_redactor(settings)) as gateway,
        gateway.router.running(),
    ):
        yield gateway


def environment(folder: Path) -> dict[str, str]:
    """Return the settings of a gateway with a public address."""
    for name in ("fixed", "dynamic"):
        (folder / name).mkdir()
    return {
        "CLAUDE_RUNNER_HOME": str(folder / "home"),
        "FIXED_SERVERS_DIR": str(folder / "fixed"),
        "DYNAMIC_SERVERS_DIR": str(folder / "dynamic"),
        "PUBLIC_URL": PUBLIC,
    }
