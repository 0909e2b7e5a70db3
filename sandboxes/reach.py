"""Whether a child can reach what it needs, told before it fails in a way nobody understands."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from sandboxes import interpreter, system
from sandboxes.errors import SandboxError
from sandboxes.policy import Level, Policy


def check(policy: Policy, program: Path, read_only: Sequence[Path]) -> None:
    """Accept a program and the folders it was given.

    Raises:
        SandboxError: the child could not read one of them; the message says why.
    """
    for path in (policy.data_dir, interpreter.SANDBOXES):
        if system.covers(path):
            raise SandboxError(
                f"{path} lies in a system folder, which every server may read; "
                f"move the installation and its home elsewhere, for instance below /opt or /srv."
            )
    _check_program(policy, program, read_only)
    if os.geteuid() != 0 or policy.uid is None:
        return
    for path in (*read_only, policy.data_dir, *policy.read_write):
        if system.covers(path):
            continue
        closed = _closed_folder(path, policy.uid, whole=policy.level is Level.REDUCED)
        if closed is not None:
            raise SandboxError(
                f"{closed} cannot be read by uid {policy.uid} of the server, which needs {path}; "
                f"open it with chmod o+rX or install outside of a home folder."
            )


def _check_program(policy: Policy, program: Path, read_only: Sequence[Path]) -> None:
    seen = (*read_only, policy.data_dir, *policy.read_write)
    target = program.resolve()
    for path in (program, target):
        # A link itself needs no grant: the mount tree repeats it, and Landlock lets it be followed.
        if path.is_symlink() or system.covers(path) or _lies_in(path, seen):
            continue
        raise SandboxError(
            f"The program {program} needs {path}, which its server may not read; "
            f"add its folder to read_only."
        )


def _lies_in(path: Path, seen: Sequence[Path]) -> bool:
    real = path.resolve()
    return any(path.is_relative_to(one) or real.is_relative_to(one.resolve()) for one in seen)


def _closed_folder(path: Path, uid: int, *, whole: bool) -> Path | None:
    """Return what on the way is closed to `uid`; with `whole`, from the root on."""
    for step in (path, *(path.parents if whole else ())):
        status = step.stat()
        needed = stat.S_IROTH if step == path else 0
        if stat.S_ISDIR(status.st_mode):
            needed |= stat.S_IXOTH
        if status.st_uid != uid and status.st_mode & needed != needed:
            return step
    return None
