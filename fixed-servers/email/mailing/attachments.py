"""Files in DATA_DIR that a mail may carry. No link is followed on the way to one."""

import base64
import binascii
import mimetypes
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailing.errors import MailError

MAX_BYTES = 15 * 1024 * 1024
"""Of all attachments of a mail; a third more on the way, and most providers end at 25 MB."""
MAX_DEPTH = 8
MAX_LISTED = 1000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as a mail carries it."""

    name: str
    kind: str
    """Such as application/pdf."""
    content: bytes


class Folder:
    """The files below DATA_DIR; names that begin with a dot are not among them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def listed(self) -> list[dict[str, Any]]:
        """Return name and size of every file, at most a thousand."""
        found: list[dict[str, Any]] = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for name in sorted(names):
                path = Path(folder, name)
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and not name.startswith("."):
                    shown = path.relative_to(self.root).as_posix()
                    found.append({"name": shown, "bytes": status.st_size})
            if len(found) >= MAX_LISTED:
                break
        return found[:MAX_LISTED]

    def read(self, names: Sequence[str]) -> tuple[Attachment, ...]:
        """Return files. Raises MailError: one cannot be read, or they are too large."""
        left, found = MAX_BYTES, list[Attachment]()
        for name in names:
            content = self._read(name, left)
            left -= len(content)
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            found.append(Attachment(name.rpartition("/")[2], kind, content))
        return tuple(found)

    def save(self, name: str, text: str, encoded: str) -> dict[str, Any]:
        """Write a file, and the folders on its way. Raises MailError."""
        if bool(text) == bool(encoded):
            raise MailError("Give the content as `text` or as `base64`, one of them.")
        try:
            content = base64.b64decode(encoded, validate=True) if encoded else text.encode()
        except (binascii.Error, ValueError) as error:
            raise MailError(f"The content is no base64: {error}.") from error
        if len(content) > MAX_BYTES:
            raise _too_large()
        with self._parent(name, make=True) as (parent, last):
            beside = f".{secrets.token_hex(8)}"
            fd = os.open(beside, _NEW, 0o600, dir_fd=parent)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
            try:
                os.rename(beside, last, src_dir_fd=parent, dst_dir_fd=parent)
            except OSError:
                os.unlink(beside, dir_fd=parent)
                raise
        return {"name": name, "bytes": len(content)}

    def delete(self, name: str) -> None:
        """Delete a file. Raises MailError: there is none."""
        with self._parent(name) as (parent, last):
            os.unlink(last, dir_fd=parent)

    def _read(self, name: str, most: int) -> bytes:
        with self._parent(name) as (parent, last):
            fd = os.open(last, _FILE, dir_fd=parent)
            with os.fdopen(fd, "rb") as file:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise MailError(f"{name!r} is no file.")
                content = file.read(most + 1)
        if len(content) > most:
            raise _too_large()
        return content

    @contextmanager
    def _parent(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Give the open folder that a name lies in, and the last part of the name."""
        *folders, last = self._parts(name)
        fd = os.open(self.root, _FOLDER)
        try:
            for folder in folders:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(folder, 0o700, dir_fd=fd)
                inner = os.open(folder, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd, last
        except OSError as error:
            raise MailError(
                f"The attachment {name!r} cannot be used ({error.strerror}); "
                "list_attachments shows what is there."
            ) from error
        finally:
            os.close(fd)

    def _parts(self, name: str) -> list[str]:
        parts = name.removeprefix(f"{self.root}/").split("/")
        plain = name.isprintable() and len(parts) <= MAX_DEPTH
        if not plain or any(not each or each.startswith(".") for each in parts):
            raise MailError(
                f"{name[:100]!r} is no name of an attachment: it lies in DATA_DIR, without '..' "
                "and hidden parts."
            )
        return parts


def _too_large() -> MailError:
    return MailError(f"Attachments may have {MAX_BYTES // 1024 // 1024} MiB together; send less.")
