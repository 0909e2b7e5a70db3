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


def release(origin: Path, tag: str, file: str, text: str) -> str:
    """Commit a change of one file at the origin under a tag; return the hash."""
    path = origin / file
    path.write_text(text, "utf-8")
    made = commit(origin, f"Release {tag}")
    git(origin, "tag", tag)
    return made


def trust_signatures(origin: Path, checkout: Path) -> None:
    """Let the origin sign with a key, and git of the checkout verify what it signed."""
    key, signers = origin / ".git" / "key", checkout / ".git" / "signers"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = key.with_suffix(".pub").read_text("ascii")
    signers.write_text(f"ann@example.org {public}", "ascii")
    git(origin, "config", "gpg.format", "ssh")
    git(origin, "config", "user.signingkey", str(key))
    git(checkout, "config", "gpg.ssh.allowedSignersFile", "/opt/claude-runner/.git/signers")


def give_environment(checkout: Path) -> None:
    """Give it the environment of the tests, on the distribution's Python, as if installed."""
    venv = checkout / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "lib").mkdir()
    (venv / "bin" / "python").symlink_to(PYTHON)
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n", "utf-8")
    lock = hashlib.sha256((checkout / "requirements.txt").read_bytes()).hexdigest()
    (venv / "stamp").write_text(f"{lock}  -\n{PYTHON.resolve()}\n", "utf-8")
