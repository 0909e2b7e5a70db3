"""``servers install`` as far as it needs no gateway: the packages of the machine."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.gateways import Place


@pytest.fixture
def marker(place: Place) -> Path:
    """What the package of the fixed server `browser` brings; it is not there."""
    folder, marker = place.folder / "fixed" / "browser", place.folder / "chromium"
    folder.mkdir()
    said = {"command": ["true"], "system_packages": {"shell": "sh", "chromium": str(marker)}}
    (folder / "metadata.json").write_text(json.dumps(said), encoding="utf-8")
    return marker


def test_who_may_not_install_is_told_the_one_command(place: Place, marker: Path) -> None:
    """Issue 9: exactly what is missing, and nothing that is there."""
    done = place.run("servers", "install", "browser", env={"PATH": str(place.folder)})
    assert (done.returncode, done.stderr.strip().splitlines()) == (
        1,
        [
            "claude-runner: Server 'browser' needs chromium; as root, run: "
            "apt-get install -y --no-install-recommends chromium",
            "Then run again: ./claude-runner servers install browser",
        ],
    )
    unknown = place.run("servers", "install", "nobody")
    assert (unknown.returncode, "no fixed server 'nobody'" in unknown.stderr) == (1, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="apt-get is root's")
def test_root_gets_what_is_missing_and_only_that(place: Place, marker: Path) -> None:
    """Issue 9: apt-get is asked once; what it cannot bring is told."""
    programs = place.folder / "programs"
    programs.mkdir()
    apt, log = programs / "apt-get", place.folder / "asked"
    env = {"PATH": f"{programs}:{os.environ['PATH']}"}
    apt.write_text(f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >> {log}\n', encoding="utf-8")
    apt.chmod(0o755)
    none = place.run("servers", "install", "browser", env=env)
    assert "needs chromium, and this distribution has none" in none.stderr
    options = "noninteractive -q -o DPkg::Lock::Timeout=120"
    assert log.read_text("utf-8").splitlines() == [
        f"{options} update",
        f"{options} install -y --no-install-recommends -- chromium",
    ]
    apt.write_text(f"#!/bin/sh\ntouch {marker}\n", encoding="utf-8")
    for _ in range(2):
        brought = place.run("servers", "install", "browser", env=env)
        assert (marker.exists(), "no gateway" in brought.stderr.lower()) == (True, True)
