"""A whole gateway in this process, without a listener."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gateway.main import Gateway, build
from gateway.settings import load
from supervisor.redaction import Redactor

PUBLIC = "https://runner.example.org"
BASE = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gateway]:
    """A gateway without servers that trusts no proxy."""
    folder = tmp_path_factory.mktemp("reach")
    async with (
        build(load(environment(folder), None), BASE, Redactor()) as built,
        built.router.running(),
    ):
        yield built


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
