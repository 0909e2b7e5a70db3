"""The root script with the real lock: as a plain user here, and on a bare Debian made for it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from gateway.standin import StandIn
from gateway.version import read_version
from tests.bootstrap.debian import bare_debian
from tests.bootstrap.newcomer import Newcomer
from tests.demonstrations import Demonstrations
from tests.deploy.installed import PYTHON, give_environment
from tests.ports import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".cache", "var", "var.key", ".env", "*_cache")
INSTALL_S = 400
"""A hundred packages over a slow line; about a minute here."""
BARE_DEBIAN_S = 900
NOBODY = 65534
USER = 1000
LOCK = "requirements.txt"
NEED_NO_OTHER = {"certifi", "h11", "idna"}
TESTS_PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
EXPECTED = [f"claude-runner {read_version()}\n"] * 2
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@contextmanager
def copy_for(uid: int, folder: Path) -> Iterator[Path]:
    """Copy the checkout into a folder with a space that belongs to a user; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="fresh ", dir=folder) as name:
        copy = Path(name) / "checkout"
        shutil.copytree(CHECKOUT, copy, ignore=LEFT_OUT, symlinks=True)
        subprocess.run(["chown", "-R", f"{uid}:{uid}", name], check=True)
        yield copy


def version(command: Sequence[str | Path], env: dict[str, str]) -> str:
    """Run `--version` and return what it printed to standard output."""
    done = subprocess.run(
        [*command, "--version"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=INSTALL_S,
        check=True,
    )
    return done.stdout


def demo(command: Sequence[str | Path], env: dict[str, str]) -> str:
    """Run the demo to its end and return what it printed."""
    done = subprocess.run(
        [*command, "demo", "--exit"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=INSTALL_S,
        check=True,
    )
    return done.stdout


def as_user(uid: int) -> list[str]:
    """Return the words that make the rest of a command run as a user."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


def installer_settings() -> dict[str, str]:
    """Return what tells this machine's package installers where to look and whom to trust."""
    told = ("PIP_", "SSL_CERT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return {key: value for key, value in os.environ.items() if key.upper().startswith(told)}


@pytest.fixture(scope="module")
def of_plain_user() -> Iterator[Path]:
    """A checkout of a plain user; its first command makes its environment."""
    with copy_for(NOBODY, Path(tempfile.gettempdir())) as copy:
        yield copy


@pytest.fixture(scope="module")
def with_packages(of_plain_user: Path, demonstrations: Demonstrations) -> Path:
    """The same with all packages: those of the tests, or in the full suite what pip installed."""
    if not demonstrations.full and PYTHON.resolve().name == TESTS_PYTHON:
        shutil.copy(CHECKOUT / LOCK, of_plain_user / LOCK)
        shutil.rmtree(of_plain_user / ".venv", ignore_errors=True)
        give_environment(of_plain_user)
        packages, there = Path(sys.prefix) / "lib" / TESTS_PYTHON, of_plain_user / ".venv/lib"
        linked = subprocess.run(["cp", "-al", packages, there], check=False, capture_output=True)
        if linked.returncode:
            # The folder for temporary files may be another disk.
            subprocess.run(["cp", "-a", packages, there], check=True)
    return of_plain_user


def shorten(lock: Path) -> None:
    """Leave a few packages of a lock that need no other."""
    entries = re.split(r"\n(?=\S)", lock.read_text("utf-8"))
    kept = [entry for entry in entries if entry.partition("==")[0] in NEED_NO_OTHER]
    assert len(kept) == len(NEED_NO_OTHER)
    lock.write_text("\n".join(kept) + "\n", "utf-8")


@root_only
@pytest.mark.timeout(INSTALL_S)
def test_a_plain_user_starts_it_with_pip_and_the_distributions_python(
    of_plain_user: Path, demonstrations: Demonstrations
) -> None:
    """Issue 2, point 2: the named packages are there, uv is not; run twice."""
    if not demonstrations.full and PYTHON.resolve().name == TESTS_PYTHON:
        # The whole lock takes a minute of processor; the tests' own was installed the same way.
        shorten(of_plain_user / LOCK)
    env = {"HOME": str(of_plain_user.parent), **installer_settings()}
    program = [*as_user(NOBODY), of_plain_user / "claude-runner"]
    assert [version(program, env), version(program, env)] == EXPECTED


@root_only
@pytest.mark.timeout(INSTALL_S)
def test_a_newcomer_follows_the_readme(with_packages: Path) -> None:
    """Issue 8, shows: the README's commands only, in order; the model alone is a stand-in."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(StandIn()) as model:
        env = {**installer_settings(), "ANTHROPIC_BASE_URL": model.url}
        newcomer = Newcomer(with_packages, as_user(NOBODY), env, free_port())
        server, runs, delivery, clients = newcomer.follow(CHECKOUT / "README.md")[1:]
    assert '"result"' in server
    assert "[stand-in] The tool answered" in runs
    assert '"run_id"' in delivery
    assert '"mcpServers"' in clients


@root_only
@pytest.mark.full
@pytest.mark.timeout(BARE_DEBIAN_S)
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_a_bare_debian_needs_nothing_but_its_python(
    suite: str, demonstrations: Demonstrations
) -> None:
    """Issue 2, shows: root first, who installs what is missing; then a user; each twice."""
    with bare_debian(suite) as inside:
        env = {"HOME": "/tmp", **installer_settings()}
        for uid in (0, USER):
            with copy_for(uid, inside.root / "opt") as copy:
                program = inside.command(uid, copy / "claude-runner")
                assert [version(program, env), version(program, env)] == EXPECTED
                for _ in range(2):
                    assert "0 processes left" in demo(program, env)
    result = "starts and shows the demo, as root and as a user"
    demonstrations.record(f"Bare Debian {suite}", 4, result)
