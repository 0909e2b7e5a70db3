"""The gateway's end of a process that waits to become one certain server.

Confined as the server will be, with an empty folder in the place of its code, into which the
code is copied when it starts: what was edited, renamed or rolled back meanwhile is what runs.
Above: the supervisor. The other end is `waiting`.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sandboxes import interpreter
from sandboxes.errors import SandboxError
from sandboxes.launch import Blank, Launch, prepare
from sandboxes.policy import MIB, Policy, Shown
from sandboxes.warm.waiting import LENGTH

SCRIPT = interpreter.SANDBOXES / "warm" / "waiting.py"
MAX_CODE_BYTES = 16 * MIB
MAX_CODE_FILES = 1000
MAX_PART_BYTES = 60_000
"""What a pipe takes without a reader is 64 KiB."""


class DoesNotFit(SandboxError):
    """The waiting process cannot become this server; the message says why."""


def blank(
    command: tuple[str, ...], *, env: Mapping[str, str], cwd: Path, policy: Policy, code: Path
) -> Blank:
    """Return all of a server but its code and variables. Blocking.

    `command` is that of the server (`interpreter.python_command`), `env` has nothing that
    was declared, `policy` may show the code.

    Raises:
        OSError: a granted folder is missing.
    """
    python, isolated, _, script = command
    without = replace(policy, read_only=tuple(p for p in policy.read_only if p != code))
    granted = (without.data_dir, *without.read_only, *without.read_write)
    marks = tuple((stat.st_dev, stat.st_ino) for stat in map(os.stat, granted))
    return Blank((python, isolated, str(SCRIPT), script), env, cwd, without, code, marks)


def prepare_blank(blank: Blank, holder: Path) -> Launch:
    """Make the folder for the code and return how to start the process. Blocking.

    Raises:
        OSError, SandboxError: see `launch.prepare`.
    """
    holder.mkdir(parents=True)
    holder.chmod(0o755)
    shown = (*blank.policy.shown, Shown(holder, blank.code))
    policy = replace(blank.policy, shown=shown)
    return prepare(blank.command, env=blank.env, cwd=blank.cwd, policy=policy)


def copy_code(code: Path, holder: Path) -> None:
    """Put the code where the waiting process sees it. Blocking.

    Raises:
        DoesNotFit: there is too much of it, or it cannot be read.
    """
    size = files = 0
    for folder, _, names in os.walk(code):
        for name in names:
            size += os.lstat(Path(folder, name)).st_size
            files += 1
            if size > MAX_CODE_BYTES or files > MAX_CODE_FILES:
                raise DoesNotFit("its folder is too large to be copied")
    try:
        shutil.copytree(code, holder, symlinks=True, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise DoesNotFit(f"its folder cannot be copied ({error})") from error


def part(text: bytes) -> bytes:
    """Return text as the waiting process reads it.

    Raises:
        DoesNotFit: it is too long.
    """
    if len(text) > MAX_PART_BYTES:
        raise DoesNotFit("its variables are too long for a waiting process")
    return LENGTH.pack(len(text)) + text


def environment_part(env: Mapping[str, str]) -> bytes:
    """Return the part after which the server runs.

    Raises:
        DoesNotFit: it is too long.
    """
    return part(json.dumps(dict(env)).encode())
