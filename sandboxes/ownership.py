"""Folders of a server: made, and handed to the server's own user when the gateway is root.

The owner of a server's DATA_DIR is the record of its uid. No link in such a folder is followed.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sandboxes.errors import ForeignOwner, SandboxError

UID_BASE = 70_000
"""Free on Debian and Ubuntu: above systemd's dynamic users, below subordinate ones."""
UID_SPAN = 10_000
"""Users that may be handed out above the base."""
MAX_ENTRIES = 1_000_000
WAY = 0o711
"""Entered by all, listed by us alone."""
OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def assign_uid(
    data_dirs: Path, data_dir: Path, base: int = UID_BASE, *, siblings: str = "*/data"
) -> int:
    """Return the uid of a server: that of its DATA_DIR, else the lowest free one from `base`.

    `siblings` matches below `data_dirs` the folders whose owners are taken: the DATA_DIR of each
    server. Call `make_folders` with the answer before asking for the next server.

    Raises:
        SandboxError: all users of the span are taken.
    """
    span = range(base, base + UID_SPAN)
    owner = _owner(data_dir)
    if owner is not None and owner in span:
        return owner
    taken = {_owner(found) for found in data_dirs.glob(siblings)}
    for uid in span:
        if uid not in taken:
            return uid
    raise SandboxError(f"All users from {base} to {span[-1]} are taken; remove unused servers.")


def make_folders(data_dir: Path, private: Path, uid: int | None) -> None:
    """Make a server's DATA_DIR, HOME and TMPDIR and hand them to `uid`, when there is one.

    Raises:
        ForeignOwner: something in them belongs to another server or user.
        SandboxError: one of them is not a folder.
    """
    for folder in (data_dir, private):
        try:
            _make_way(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError as error:
            raise SandboxError(f"{folder} is not a folder; move it away.") from error
    owner = uid if os.geteuid() == 0 else None
    if owner is not None:
        give(data_dir, owner)
        give(private, owner)
    _make_tmp(private, owner)


def _make_way(folder: Path) -> None:
    """Make a folder and those above it; the server's user may go through them, whatever our umask.

    Level reduced as root has no other way to DATA_DIR. What exists already stays as it is.
    """
    if not folder.is_dir():
        _make_way(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(mode=WAY)
            folder.chmod(WAY)


def _make_tmp(private: Path, uid: int | None) -> None:
    # A child that is still alive may write in there, so nothing below it is named by a path.
    at = os.open(private, OPEN_FOLDER)
    try:
        os.mkdir("tmp", 0o700, dir_fd=at)
        if uid is not None:
            os.chown("tmp", uid, uid, dir_fd=at, follow_symlinks=False)
    except FileExistsError:
        return
    finally:
        os.close(at)


def give(folder: Path, uid: int) -> None:
    """Make `uid` the owner of a folder and all in it that is root's; links are not followed.

    Raises:
        ForeignOwner: something in it belongs to neither root nor `uid`; nothing was changed.
        SandboxError: it is no folder, or holds more than can be checked.
    """
    try:
        top = os.open(folder, OPEN_FOLDER)
    except OSError as error:
        raise SandboxError(f"{folder} is not a folder that can be handed over.") from error
    try:
        if os.fstat(top).st_uid == uid:
            return
        entries = list(_entries(top, folder))
        for _, path, owner in entries:
            if owner not in (0, uid):
                raise ForeignOwner(path, owner, uid)
    finally:
        os.close(top)
    _change(folder, uid)


def _change(folder: Path, uid: int) -> None:
    # The folder itself comes last: it is the mark that all below is done.
    for _, _, files, descriptor in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in files:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            # A hard link to a file of root's elsewhere would be given away with it.
            if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
                raise SandboxError(f"{folder}: {name} has other names; copy it instead.")
            os.chown(name, uid, uid, dir_fd=descriptor, follow_symlinks=False)
        os.fchown(descriptor, uid, uid)


def _entries(descriptor: int, folder: Path) -> Iterator[tuple[int, Path, int]]:
    count = 0
    yield count, folder, os.fstat(descriptor).st_uid
    for where, folders, files, at in os.fwalk(
        ".", topdown=True, follow_symlinks=False, dir_fd=descriptor
    ):
        for name in (*folders, *files):
            count += 1
            if count > MAX_ENTRIES:
                raise SandboxError(f"{folder} holds more than {MAX_ENTRIES} entries.")
            owner = os.stat(name, dir_fd=at, follow_symlinks=False).st_uid
            yield count, folder / where / name, owner


def _owner(folder: Path) -> int | None:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return None
    return status.st_uid if stat.S_ISDIR(status.st_mode) else None
