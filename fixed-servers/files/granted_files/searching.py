"""Searches, each bounded in files, bytes, time and results."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from granted_files.listing import kind_of
from granted_files.reading import FILE, LOOKED_AT
from granted_files.roots import Place, Roots, opened

MAX_FOUND = 200
MAX_VISITED = 50_000
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_BYTES = 512 * 1024 * 1024
MAX_S = 20.0
MAX_LINE = 300
"""Characters that are shown of a line."""


@dataclass
class _Bounds:
    """What one search may still do."""

    ends_at: float = field(default_factory=lambda: time.monotonic() + MAX_S)
    visited: int = 0
    read: int = 0
    found: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    too_large: int = 0

    def reason(self) -> str:
        """Return why the search has to end; empty: it has not."""
        checks = (
            (len(self.found) >= MAX_FOUND, f"there are more than {MAX_FOUND} results"),
            (self.visited >= MAX_VISITED, f"{MAX_VISITED} files were looked at"),
            (self.read >= MAX_BYTES, f"{MAX_BYTES // 1024 // 1024} MiB were read"),
            (time.monotonic() > self.ends_at, f"it took {MAX_S:g} s"),
        )
        return next((why for holds, why in checks if holds), "")

    def answer(self) -> dict[str, Any]:
        """Return what was found, and what was left out."""
        reason = self.reason()
        rest = {
            "incomplete": f"{reason}; search a smaller folder, or more narrowly" if reason else "",
            "files_too_large": self.too_large,
        }
        return {"found": self.found[:MAX_FOUND], **{k: v for k, v in rest.items() if v}}


def by_name(roots: Roots, pattern: str, path: str) -> dict[str, Any]:
    """Return what has a name like the pattern. Raises FilesError."""
    bounds, wanted = _Bounds(), pattern.lower()
    for shown, name, folder in _walk(roots, path, bounds, files_only=False):
        if _fits(shown, name, wanted):
            bounds.found.extend(_seen(shown, name, folder))
    return bounds.answer()


def by_text(roots: Roots, text: str, path: str, pattern: str) -> dict[str, Any]:
    """Return lines that hold a text. Raises FilesError."""
    bounds, wanted, names = _Bounds(), text.casefold(), pattern.lower()
    for shown, name, folder in _walk(roots, path, bounds, files_only=True):
        if _fits(shown, name, names):
            for number, line in _matches(folder, name, wanted, bounds):
                bounds.found.append({"path": shown, "line": number, "text": line})
                if len(bounds.found) >= MAX_FOUND:
                    break
    return bounds.answer()


def _walk(
    roots: Roots, path: str, bounds: _Bounds, *, files_only: bool
) -> Iterator[tuple[str, str, int]]:
    """Yield path, name and open folder of everything below, as long as the bounds allow."""
    for place in roots.places(path):
        with opened(place) as top:
            for folder, folders, files, fd in os.fwalk(".", dir_fd=top, follow_symlinks=False):
                folders.sort()
                names = sorted(files) if files_only else sorted((*folders, *files))
                for name in names:
                    bounds.visited += 1
                    if bounds.reason():
                        return
                    yield _shown(place, folder, name), name, fd


def _shown(place: Place, folder: str, name: str) -> str:
    parts = (place.text, *folder.split("/")[1:], name)
    return os.fsencode("/".join(parts)).decode("utf-8", "replace")


def _seen(shown: str, name: str, folder: int) -> Iterator[dict[str, Any]]:
    """Yield a file or folder, unless it is gone meanwhile."""
    with suppress(FileNotFoundError):
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        yield {"path": shown, "kind": kind_of(seen.st_mode), "bytes": seen.st_size}


def _fits(shown: str, name: str, pattern: str) -> bool:
    lowered = shown.lower()
    if "/" in pattern:
        return fnmatchcase(lowered, f"*/{pattern}")
    return fnmatchcase(name.lower(), pattern)


def _matches(folder: int, name: str, wanted: str, bounds: _Bounds) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines of one file; of none if it cannot be read as text."""
    try:
        fd = os.open(name, FILE, dir_fd=folder)
    except OSError:
        # Gone, a link, or not for this user: no text that could be found.
        return
    with os.fdopen(fd, "rb") as file:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode):
            return
        if seen.st_size > MAX_FILE_BYTES:
            bounds.too_large += 1
            return
        data = file.read(MAX_FILE_BYTES)
    bounds.read += len(data)
    if b"\0" in data[:LOOKED_AT]:
        return
    text = data.decode("utf-8", "replace")
    if wanted not in text.casefold():
        return
    for number, line in enumerate(text.splitlines(), 1):
        at = line.casefold().find(wanted)
        if at >= 0:
            start = max(0, at - MAX_LINE // 2)
            yield number, line[start : start + MAX_LINE]
