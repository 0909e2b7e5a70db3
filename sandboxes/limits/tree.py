"""Folders that a child may have filled with anything, measured and removed from outside.

Every name is opened below a descriptor and without following links, files are never opened, and
neither depth nor number of entries costs more than its bound. Blocking.
"""

import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_DEPTH = 100
"""Folders in folders; each level of a walk holds a descriptor."""
BLOCK_BYTES = 512
"""The unit of st_blocks, whatever the file system (stat(2))."""


@dataclass(slots=True)
class Size:
    """What a folder holds, counted up to a bound."""

    bytes: int = 0
    """Space on disk; a file with two names counts once."""
    entries: int = 0
    too_deep: bool = False
    """True when something lies deeper than MAX_DEPTH; that was not counted."""


def measure(folders: Iterable[Path], *, max_entries: int) -> Size:
    """Return what folders hold together; stops once there are more than `max_entries`."""
    size = Size()
    linked: set[tuple[int, int]] = set()
    for folder in folders:
        try:
            top = os.open(folder, OPEN_FOLDER)
        except OSError:
            continue
        _measure(top, size, linked, max_entries)
    return size


def _measure(top: int, size: Size, linked: set[tuple[int, int]], max_entries: int) -> None:
    # One level of the way down: its descriptor and the names of its folders still to visit.
    levels = [(top, _count(top, size, linked, max_entries))]
    try:
        while levels and size.entries <= max_entries:
            at, names = levels[-1]
            if not names:
                os.close(at)
                levels.pop()
            elif len(levels) > MAX_DEPTH:
                size.too_deep = True
                names.clear()
            else:
                try:
                    below = os.open(names.pop(), OPEN_FOLDER, dir_fd=at)
                except OSError:
                    continue
                levels.append((below, _count(below, size, linked, max_entries)))
    finally:
        for at, _ in levels:
            os.close(at)


def _count(at: int, size: Size, linked: set[tuple[int, int]], max_entries: int) -> list[str]:
    """Add what lies in one folder, and return the names of its folders."""
    folders: list[str] = []
    with os.scandir(at) as entries:
        for entry in entries:
            size.entries += 1
            if size.entries > max_entries:
                break
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(status.st_mode):
                folders.append(entry.name)
            elif status.st_nlink > 1:
                key = (status.st_dev, status.st_ino)
                if key in linked:
                    continue
                linked.add(key)
            size.bytes += status.st_blocks * BLOCK_BYTES
    return folders


def remove(folder: Path) -> None:
    """Remove a folder that nobody writes to any more; a link in its place loses the link only.

    Raises:
        OSError: something cannot be removed.
    """
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        folder.unlink()
        return
    _open_up(folder)
    top = os.open(folder, OPEN_FOLDER)
    try:
        _empty(top)
    finally:
        os.close(top)
    folder.rmdir()


def _empty(top: int) -> None:
    """Remove all in a folder; deeper folders are moved up first, so depth costs no stack."""
    # A name that nobody could have planted.
    fresh = (f".removed-{secrets.token_hex(8)}-{number}" for number in count())
    pending = _strip(top, top, fresh)
    while pending:
        name = pending.pop()
        at = os.open(name, OPEN_FOLDER, dir_fd=top)
        try:
            pending += _strip(at, top, fresh)
        finally:
            os.close(at)
        os.rmdir(name, dir_fd=top)


def _strip(at: int, top: int, fresh: Iterator[str]) -> list[str]:
    """Remove the files of a folder and move its folders to `top`; return their names there."""
    moved: list[str] = []
    for name in os.listdir(at):
        status = os.stat(name, dir_fd=at, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            _open_up(name, at=at)
            new = next(fresh)
            os.rename(name, new, src_dir_fd=at, dst_dir_fd=top)
            moved.append(new)
        else:
            os.unlink(name, dir_fd=at)
    return moved


def _open_up(folder: str | Path, *, at: int | None = None) -> None:
    """Let ourselves into a folder that its owner, a user like us, may have closed."""
    if os.geteuid() != 0:
        os.chmod(folder, 0o700, dir_fd=at)
