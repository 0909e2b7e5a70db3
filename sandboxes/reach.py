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
    for hop in interpreter.links_of(program):
        if not system.covers(hop) and not any(hop.is_relative_to(path) for path in seen):
            raise SandboxError(
                f"The program {program} needs {hop}, which its server may not read; "
                f"add its folder to read_only."
            )


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
