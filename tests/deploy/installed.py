"""A checkout as its owner clones it, with an environment that needs no installation."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from gateway.variables import CHECKOUT

LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", ".cache", "var", "var.key", ".env", "*_cache"),
    *("tests", "benchmarks", "docs", "dynamic_servers"),
)
PYTHON = Path("/usr/bin/python3")
GIT = (
    "git",
    "-c",
    "user.name=Ann",
    "-c",
    "user.email=ann@example.org",
    "-c",
    "commit.gpgsign=false",
)


def clone(folder: Path) -> Path:
    """Return a checkout with one commit on the branch main; byte code comes along."""
    shutil.copytree(CHECKOUT, folder, ignore=LEFT_OUT, symlinks=True)
    folder.chmod(0o755)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "First")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git in a checkout and return what it printed."""
    done = subprocess.run(
        [*GIT, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, subject: str) -> str:
    """Commit everything that changed and return the hash."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", subject)
    return git(folder, "rev-parse", "HEAD")


def give_environment(checkout: Path) -> None:
    """Give it the environment of the tests, on the distribution's Python, as if installed."""
    venv = checkout / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "lib").mkdir()
    (venv / "bin" / "python").symlink_to(PYTHON)
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n", "utf-8")
    lock = hashlib.sha256((checkout / "requirements.txt").read_bytes()).hexdigest()
    (venv / "stamp").write_text(f"{lock}  -\n{PYTHON.resolve()}\n", "utf-8")
