"""The units, as systemd itself judges them, and the scripts, as shellcheck does."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bootstrap.debian import bare_debian

CHECKOUT = Path(__file__).resolve().parents[2]
DEPLOY = CHECKOUT / "deploy"
EXPOSURE = 32
"""Most that `systemd-analyze security` may say of the service, of 100: what stays is the network,
and what would break the namespaces of servers."""


def analyze(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run systemd-analyze, which the test toolchain installs."""
    program = shutil.which("systemd-analyze") or "systemd-analyze"
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units with programs that exist, for ours are not installed here."""
    folder = tmp_path_factory.mktemp("units")
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text("utf-8").replace("/opt/claude-runner/deploy/backup.sh", "/bin/true")
        text = text.replace("/opt/claude-runner/claude-runner", "/bin/true")
        (folder / unit.name).write_text(text, "utf-8")
    return folder


def test_systemd_accepts_the_units(units: Path) -> None:
    """Issue 9, Shows: `systemd-analyze verify`, without a warning about ours."""
    done = analyze("verify", *sorted(units.iterdir()))
    said = [line for line in done.stderr.splitlines() if "claude-runner" in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.parametrize(
    ("unit", "most"), [("claude-runner.service", EXPOSURE), ("claude-runner-backup.service", 18)]
)
def test_what_the_service_is_exposed_to_stays_bounded(units: Path, unit: str, most: int) -> None:
    """Issue 9, Shows: `systemd-analyze security`."""
    done = analyze("security", "--offline=true", f"--threshold={most}", units / unit)
    assert done.returncode == 0, done.stdout


def test_shellcheck_finds_nothing() -> None:
    """Issue 9, What 4: what root runs."""
    scripts = [CHECKOUT / "claude-runner", *sorted(DEPLOY.glob("*.sh"))]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.full
@pytest.mark.timeout(900)
def test_apparmor_accepts_the_profile() -> None:
    """Ours: by the parser of Debian 13, which knows the rule that Ubuntu 24.04 made."""
    with bare_debian("trixie", "apparmor") as inside:
        shutil.copy(DEPLOY / "apparmor" / "claude-runner-bwrap", inside.root / "profile")
        script = inside.root / "parse"
        script.write_text("#!/bin/sh\nexec apparmor_parser -Q -K /profile\n", "utf-8")
        script.chmod(0o755)
        subprocess.run(inside.command(0, script), check=True)
