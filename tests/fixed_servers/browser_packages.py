"""Playwright's packages as `npm ci` leaves them, taken from the tests' toolchain."""

import shutil
from pathlib import Path

import pytest

from sandboxes.packages.build import Site, write_stamp
from sandboxes.packages.recipe import key_of
from supervisor.folders.catalog import read_server
from supervisor.spec import ServerKind
from supervisor.system_packages import missing
from tests.fixed_servers.conftest import SHIPPED
from tests.toolchain import OFFICIAL, Toolchain

PACKAGES = ("@playwright/mcp", "playwright", "playwright-core")


def put_packages(home: Path, toolchain: Toolchain) -> None:
    """Have the environment of the server built already: npm would ask the machine's registry."""
    recipe = read_server(SHIPPED / "playwright", ServerKind.FIXED).recipe
    assert recipe is not None
    root = home / "environments"
    site = Site(root / key_of(recipe, toolchain.node), root / "cache")
    for name in PACKAGES:
        modules = site.files / "node_modules"
        shutil.copytree(OFFICIAL.parent / name, modules / name)
    for folder in (root, site.folder):
        folder.chmod(0o755)
    write_stamp(recipe, site, 1)


def skip_without_browser() -> None:
    """Skip a test where the machine lacks what `servers install playwright` installs."""
    spec = read_server(SHIPPED / "playwright", ServerKind.FIXED)
    lacking = missing(spec.system_packages)
    if lacking:
        pytest.skip(f"not installed: {', '.join(map(str, lacking))}")
