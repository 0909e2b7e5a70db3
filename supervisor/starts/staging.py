"""A copy of a Node server's code beside its packages, for levels without a mount tree of their own.

Node looks for packages beside a file and in every folder above it, after following links, so that
code cannot be told of packages elsewhere. Blocking.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

MODULES = "node_modules"


@dataclass(frozen=True, slots=True)
class Staged:
    """Where the code of a server comes from, where its copy is, and what lies beside that."""

    code: Path
    at: Path
    """A folder of its own for each version of the code, because the old one may still run."""
    modules: Path


def stage(staged: Staged) -> None:
    """Make the copy unless it is there; copies of other versions but the latest one go.

    Raises:
        OSError: it cannot be written.
    """
    if not (staged.at / MODULES).is_symlink():
        staged.at.parent.mkdir(parents=True, exist_ok=True)
        staged.at.parent.chmod(0o711)
        beside = staged.at.with_name(f".{staged.at.name}")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(staged.code, beside, ignore=shutil.ignore_patterns(MODULES))
        beside.chmod(0o755)
        (beside / MODULES).symlink_to(staged.modules)
        shutil.rmtree(staged.at, ignore_errors=True)
        beside.rename(staged.at)
    os.utime(staged.at)
    _, *older = sorted(staged.at.parent.iterdir(), key=lambda each: -each.stat().st_mtime)
    for folder in older[1:]:
        shutil.rmtree(folder, ignore_errors=True)
