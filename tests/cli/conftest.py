"""A home without a gateway, and one with."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cli.gateways import Place, make_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home that no gateway holds."""
    return make_place(tmp_path)


@pytest.fixture(scope="module")
def live_place(tmp_path_factory: pytest.TempPathFactory) -> Generator[Place]:
    """A home with a running gateway, one for the tests of a module."""
    place = make_place(tmp_path_factory.mktemp("live"))
    with place.gateway():
        yield place
