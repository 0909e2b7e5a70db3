"""Changes in folders that may be written. A file is there as a whole or as it was."""

import base64
import binascii
import os
import secrets
import stat
from typing import Any

from granted_files.errors import FilesError
from granted_files.roots import Place, Roots, parent_of

MAX_BYTES = 64 * 1024 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READABLE = 0o644
"""Of a new file: the owner of the folder is another user than this server."""


def write(roots: Roots, path: str, text: str, encoded: str, *, overwrite: bool) -> dict[str, Any]:
    """Write a file. Raises FilesError: nothing was changed but for folders on the way."""
    place = _writable(roots, path)
    data = _content(text, encoded)
    with parent_of(place, make=True) as (folder, name):
        mode = _mode_of(place, folder, name)
        if mode is not None and not overwrite:
            raise FilesError(f"{place.text!r} is there already; say overwrite to replace it.")
        beside = f".{secrets.token_hex(8)}.new"
        try:
            with os.fdopen(os.open(beside, _NEW, 0o600, dir_fd=folder), "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), READABLE if mode is None else stat.S_IMODE(mode))
                os.fsync(file.fileno())
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            _remove(folder, beside)
            raise
    return {"path": place.text, "bytes": len(data)}


def move(roots: Roots, path: str, to: str) -> None:
    """Give a file or folder another name. Raises FilesError."""
    before, after = _writable(roots, path), _writable(roots, to)
    with (
        parent_of(before) as (old_folder, old),
        parent_of(after, make=True) as (new_folder, new),
    ):
        os.stat(old, dir_fd=old_folder, follow_symlinks=False)
        try:
            os.stat(new, dir_fd=new_folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)
            return
    raise FilesError(f"{after.text!r} is there already; delete it first.")


def delete(roots: Roots, path: str) -> None:
    """Delete a file, a link, or an empty folder. Raises FilesError."""
    place = _writable(roots, path)
    with parent_of(place) as (folder, name):
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(seen.st_mode):
            os.rmdir(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


def _writable(roots: Roots, path: str) -> Place:
    place = roots.place(path)
    if not place.root.writable:
        raise FilesError(
            f"{place.root.label!r} is granted read-only; the owner changes that with: "
            f"./claude-runner servers grant files --read-write {place.root.folder}"
        )
    return place


def _content(text: str, encoded: str) -> bytes:
    if text and encoded:
        raise FilesError("Give the content as `text` or as `base64`, not both.")
    try:
        data = base64.b64decode(encoded, validate=True) if encoded else text.encode()
    except (binascii.Error, ValueError) as error:
        raise FilesError(f"The content cannot be used: {error}.") from error
    if len(data) > MAX_BYTES:
        raise FilesError("A file that is written may have 64 MiB.")
    return data


def _mode_of(place: Place, folder: int, name: str) -> int | None:
    """Return the mode of the file that is there; None if there is none. Raises FilesError."""
    try:
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(seen.st_mode):
        raise FilesError(f"{place.text!r} is a folder or a link; only files are written.")
    return seen.st_mode


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
