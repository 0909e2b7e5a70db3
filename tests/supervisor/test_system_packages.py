"""Packages of the distribution that a server needs: how they are said, seen and missed."""

from pathlib import Path

import pytest

from supervisor.errors import InvalidServer, NotConfigured
from supervisor.folders.catalog import read_server
from supervisor.spec import ServerKind
from supervisor.system_packages import missing, read_packages, require


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A program that says it is of version 18."""
    program = tmp_path / "node"
    program.write_text("#!/bin/sh\necho v18.19.1\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_a_package_is_there_when_its_program_is_and_is_new_enough(node: Path) -> None:
    """Ours: by name on the system's PATH, or by a whole path; by the first number it says."""
    said = {"shell": "sh", "old": str(node), "node": f"{node}>=18", "newer": f"{node}>=20",
            "nothing": "no-such-program", "gone": "/no/such/folder"}  # fmt: skip
    lacking = missing(read_packages("browser", said))
    assert [(each.name, each.is_too_old) for each in lacking] == [
        ("newer", True), ("nothing", False), ("gone", False),
    ]  # fmt: skip


def test_without_them_a_server_says_what_to_run(node: Path) -> None:
    """Issue 9: a sentence with the command, and no start that fails again and again."""
    packages = read_packages("browser", {"nodejs": f"{node}>=20", "chromium": "/no/chromium"})
    with pytest.raises(NotConfigured) as refused:
        require("browser", packages)
    assert str(refused.value) == (
        "not installed: nodejs 20 or newer, chromium; run: ./claude-runner servers install browser"
    )
    require("browser", read_packages("browser", {"shell": "sh"}))


@pytest.mark.parametrize("said", [
    {"a b": "sh"}, {"-y": "sh"}, {"sh": ""}, {"sh": "sh; id"},
    {"openssh-server-": "sh"}, {"openssh+": "sh"}, {"lib.": "sh"}, {"l.b": "sh"},
])  # fmt: skip
def test_what_is_no_package_is_refused(said: dict[str, str]) -> None:
    """Ours: the names become arguments of apt-get, to which `name-` means to remove it."""
    with pytest.raises(InvalidServer, match="is not a package with its program"):
        read_packages("browser", said)


def test_a_dynamic_server_asks_for_none(tmp_path: Path) -> None:
    """Ours: a model writes its metadata, and root would install them."""
    folder = tmp_path / "greedy"
    folder.mkdir()
    (folder / "server.py").write_text("", encoding="utf-8")
    (folder / "metadata.json").write_text('{"system_packages": {"nmap": "nmap"}}', "utf-8")
    with pytest.raises(InvalidServer, match="asks for packages of the machine"):
        read_server(folder, ServerKind.DYNAMIC)
    assert read_server(folder, ServerKind.FIXED).system_packages[0].name == "nmap"
