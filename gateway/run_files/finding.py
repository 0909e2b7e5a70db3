"""Finds what changed in a work folder that a program may have filled with anything.

Every name is opened below a descriptor and without following links, nothing but folders is
opened, and neither depth nor number of entries costs more than its bound. Blocking.
"""

import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_ENTRIES = 50_000
"""Files of earlier runs count too: they have to be looked at; about half a second."""
MAX_DEPTH = 20
"""Folders in folders; every one is opened from the top."""
LAST = frozenset({b".git", b".hg", b".venv", b"venv", b"node_modules", b"__pycache__"})
"""Folders of many files that nobody asked for: looked at and kept after all others."""

Parts = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that was made or changed."""

    parts: Parts
    """Its folders and its name, as the kernel has them."""
    mode: int
    size: int

    @property
    def path(self) -> str:
        """The path as text; bytes that are no UTF-8 as ``\\xff``."""
        return b"/".join(self.parts).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Found:
    """What changed, the nearest to the top first, and whether all was looked at."""

    changed: tuple[Changed, ...]
    cut: bool


def find_changed(top: int, since_ns: int, *, max_entries: int = MAX_ENTRIES) -> Found:
    """Return what lies below the folder `top` and changed since an instant of its file system.

    By the time that the kernel notes at each change, which no program can set back.
    """
    waiting: deque[Parts] = deque([()])
    later: deque[Parts] = deque()
    changed: list[Changed] = []
    looked, cut = 0, False
    while waiting or later:
        parts = (waiting or later).popleft()
        for name, status in _entries(top, parts, max_entries - looked + 1):
            looked += 1
            if looked > max_entries:
                return Found(_in_order(changed), cut=True)
            inner = (*parts, name)
            if not stat.S_ISDIR(status.st_mode):
                if status.st_ctime_ns >= since_ns:
                    changed.append(Changed(inner, status.st_mode, status.st_size))
            elif len(inner) > MAX_DEPTH:
                cut = True
            else:
                (later if LAST.intersection(inner) else waiting).append(inner)
    return Found(_in_order(changed), cut)


def open_below(top: int, parts: Parts, flags: int) -> int:
    """Open what `parts` lead to, without following a link anywhere. Raises OSError."""
    at = os.dup(top)
    for place, name in enumerate(parts, start=1):
        try:
            below = os.open(name, flags if place == len(parts) else OPEN_FOLDER, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def _entries(top: int, parts: Parts, most: int) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield what lies in a folder, at most so much; nothing of one that is gone or closed."""
    try:
        at = open_below(top, parts, OPEN_FOLDER)
    except OSError:
        return
    try:
        with os.scandir(at) as entries:
            for _, entry in zip(range(most), entries, strict=False):
                try:
                    yield os.fsencode(entry.name), entry.stat(follow_symlinks=False)
                except OSError:
                    continue
    finally:
        os.close(at)


def _in_order(changed: list[Changed]) -> tuple[Changed, ...]:
    return tuple(
        sorted(
            changed,
            key=lambda each: (bool(LAST.intersection(each.parts)), len(each.parts), each.parts),
        )
    )
