"""Packages of the machine's distribution that a server cannot run without. Blocking.

A server is not started while one is missing; `claude-runner servers install` brings them.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandboxes.environment import SYSTEM_PATH
from supervisor.errors import InvalidServer, NotConfigured

VERSION_S = 10.0
"""For a program to say its version."""
# To apt-get a minus behind a name means to remove it, and an unknown name with a point or a plus
# is a pattern of many.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,98}[a-z0-9]")
_PROGRAM = re.compile(r"(/?[\w.+-]+(?:/[\w.+-]+)*)(?:>=([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class SystemPackage:
    """One package, and the program by which it is seen."""

    name: str
    """As the distribution calls it."""
    program: str
    """A name on the system's PATH, or the whole path of something that the package brings."""
    least: int | None = None
    """The program's first version that will do."""

    @property
    def is_there(self) -> bool:
        """Whether the program is, new enough."""
        found = _find(self.program)
        return found is not None and (self.least is None or _major(found) >= self.least)

    @property
    def is_too_old(self) -> bool:
        """Whether the program is there, and not new enough."""
        return _find(self.program) is not None and not self.is_there

    def __str__(self) -> str:
        return self.name if self.least is None else f"{self.name} {self.least} or newer"


def read_packages(server: str, said: Mapping[str, str]) -> tuple[SystemPackage, ...]:
    """Return what a server's metadata asks for. Raises InvalidServer."""
    found: list[SystemPackage] = []
    for name, text in said.items():
        match = _PROGRAM.fullmatch(text)
        if match is None or not _NAME.fullmatch(name):
            raise InvalidServer(
                f"The system package {name!r}: {text!r} of server {server!r} is not a package with "
                'its program, such as {"nodejs": "node>=20"}.'
            )
        found.append(SystemPackage(name, match[1], int(match[2]) if match[2] else None))
    return tuple(found)


def missing(packages: Iterable[SystemPackage]) -> tuple[SystemPackage, ...]:
    """Return those that are not there, or too old."""
    return tuple(package for package in packages if not package.is_there)


def require(server: str, packages: Iterable[SystemPackage]) -> None:
    """Raise NotConfigured, with the command that helps, when one is missing."""
    lacking = missing(packages)
    if lacking:
        raise NotConfigured(
            f"not installed: {', '.join(map(str, lacking))}; "
            f"run: ./claude-runner servers install {server}"
        )


def _find(program: str) -> str | None:
    if program.startswith("/"):
        return program if Path(program).exists() else None
    return shutil.which(program, path=SYSTEM_PATH)


def _major(program: str) -> int:
    """Return the first number of a version; 0 when the program does not say it."""
    try:
        done = subprocess.run(
            (program, "--version"),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=VERSION_S,
            env={"PATH": SYSTEM_PATH, "HOME": os.devnull},
            cwd=Path("/"),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    number = re.search(r"[0-9]+", done.stdout[:200])
    return int(number[0]) if number else 0
