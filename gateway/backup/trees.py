"""Walks the folders of servers, whose content may be hostile. No link is ever followed.

What a server wrote is read through descriptors of folders: a folder that becomes a link between two
looks leads nowhere.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

DERIVED = frozenset({"__pycache__", ".git", ".venv", ".next", ".previous", ".trials"})
"""Made anew by whoever needs it, or of a change that was under way."""
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_ENTRIES = 2_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a tree: a folder, a file that is open, or a link."""

    name: str
    """Below the tree, with slashes; "." is the tree itself."""
    status: os.stat_result
    file: BinaryIO | None = None
    """At its beginning; closed by whoever walks on."""
    link: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not taken."""

    name: str
    reason: str


def walk(folder: Path) -> Iterator[Found | LeftOut]:
    """Yield a folder and what is in it, folders before what they hold."""
    try:
        top = os.open(folder, FOLDER)
    except FileNotFoundError:
        return
    except OSError as error:
        yield LeftOut(".", error.strerror or str(error))
        return
    try:
        yield Found(".", os.fstat(top))
        yield from _below(top, PurePosixPath())
    finally:
        os.close(top)


def leads_outside(name: str, target: str) -> bool:
    """Tell whether a link of this name and target leads out of its tree, or may."""
    depth = len(PurePosixPath(name).parts) - 1
    path = PurePosixPath(target)
    if path.is_absolute() or not target:
        return True
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _below(at: int, place: PurePosixPath) -> Iterator[Found | LeftOut]:
    for entry in sorted(os.listdir(at)):
        if entry in DERIVED:
            continue
        name = place / entry
        try:
            yield from _one(at, entry, name)
        except FileNotFoundError:
            # A server goes on working while its files are read.
            continue
        except OSError as error:
            yield LeftOut(str(name), error.strerror or str(error))


def _one(at: int, entry: str, name: PurePosixPath) -> Iterator[Found | LeftOut]:
    status = os.stat(entry, dir_fd=at, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        yield Found(str(name), status)
        inner = os.open(entry, FOLDER, dir_fd=at)
        try:
            yield from _below(inner, name)
        finally:
            os.close(inner)
    elif stat.S_ISLNK(status.st_mode):
        target = os.readlink(entry, dir_fd=at)
        if leads_outside(str(name), target):
            yield LeftOut(str(name), "a link that leads outside")
        else:
            yield Found(str(name), status, link=target)
    elif stat.S_ISREG(status.st_mode):
        with os.fdopen(os.open(entry, READ, dir_fd=at), "rb") as file:
            seen = os.fstat(file.fileno())
            if stat.S_ISREG(seen.st_mode):
                yield Found(str(name), seen, file)
    else:
        yield LeftOut(str(name), "neither a file nor a folder")
