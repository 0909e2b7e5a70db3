"""A small checkout whose installation takes no time, and a PATH with chosen programs on it."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = Path(sys.executable).resolve()
CALL_S = 30
FAST_UV = f"""case $1 in
venv) for last; do :; done; exec {PYTHON} -m venv --without-pip "$last" ;;
*) echo "$@" >>"$INSTALLS" ;;
esac"""
"""Stands in for uv: makes a real environment, installs nothing and says what it was asked."""


def small_checkout(folder: Path) -> Path:
    """Return a checkout as an archive leaves it, in a folder with a space.

    Its command line prints its arguments, the head of its path and what it read from its input.
    """
    root = folder / "my checkout"
    (root / "deploy").mkdir(parents=True)
    (root / "gateway" / "cli").mkdir(parents=True)
    for name in ("claude-runner", "__main__.py", "deploy/bootstrap.py"):
        shutil.copy(CHECKOUT / name, root / name)
    for name in ("requirements.txt", "gateway/__init__.py", "gateway/cli/__init__.py"):
        (root / name).write_text("", "utf-8")
    (root / "gateway" / "cli" / "__main__.py").write_text(
        "import sys\nprint(sys.argv[1:], sys.path[0], sys.stdin.read())\n", "utf-8"
    )
    return root


def programs(folder: Path, **scripts: str) -> Path:
    """Return a folder for PATH: what the root script needs, python3, and these shell scripts.

    A name's underscores stand for dashes. An empty script leaves a program out.
    """
    folder.mkdir()
    for name in ("sh", "env", "readlink", "sha256sum", "cat", "kill"):
        (folder / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    (folder / "python3").symlink_to(PYTHON)
    for name, body in {"bwrap": "exit 0", "uv": FAST_UV, **scripts}.items():
        script = folder / name.replace("_", "-")
        script.unlink(missing_ok=True)
        if body:
            script.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
            script.chmod(0o755)
    return folder


def start(
    program: Path,
    *arguments: str,
    path: Path,
    given: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path = Path("/"),
) -> subprocess.CompletedProcess[str]:
    """Run the root script to its end with only `path` to find programs on."""
    installs = {"INSTALLS": str(path / "installs")}
    return subprocess.run(
        [program, *arguments],
        env={"PATH": str(path), **installs, **(env or {})},
        cwd=cwd,
        input=given,
        capture_output=True,
        text=True,
        timeout=CALL_S,
        check=False,
    )


def installs(path: Path) -> int:
    """Return how often something was installed."""
    log = path / "installs"
    return len(log.read_text("utf-8").splitlines()) if log.exists() else 0
