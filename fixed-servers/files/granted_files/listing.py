"""What is in a folder."""

import os
import stat
from datetime import UTC, datetime
from typing import Any

from granted_files.roots import Roots, opened

MOST = 1000


def list_folder(roots: Roots, path: str) -> dict[str, Any]:
    """Return the entries of a folder by name, or the granted folders. Raises FilesError."""
    if not path.strip("/.") and roots.by_label:
        every = roots.by_label.values()
        return {"folders": [{"path": each.label, "writable": each.writable} for each in every]}
    place = roots.place(path)
    with opened(place) as fd:
        names = sorted(each.name for each in os.scandir(fd))
        entries = [entry for name in names[:MOST] if (entry := _entry(fd, name))]
    return {
        "path": place.text,
        "writable": place.root.writable,
        "entries": entries,
        "more": max(0, len(names) - MOST),
    }


def kind_of(mode: int) -> str:
    """Return what a file is."""
    for test, kind in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link")):
        if test(mode):
            return kind
    return "special"


def _entry(fd: int, name: str) -> dict[str, Any] | None:
    """Return one entry; None if it is gone."""
    try:
        seen = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    changed = datetime.fromtimestamp(int(seen.st_mtime), UTC).isoformat()
    shown = os.fsencode(name).decode("utf-8", "replace")
    return {"name": shown, "kind": kind_of(seen.st_mode), "bytes": seen.st_size, "changed": changed}
