"""The granted folders, and the way from one of them to a file.

Every step is opened by itself, below the folder before it, and none of them may be a link: so
nothing that changes meanwhile can lead out of the granted folder.
"""

import errno
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from granted_files.errors import FilesError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_DEPTH = 64
_WHY = {
    errno.ENOENT: "there is no such file or folder; list_files shows what is there",
    errno.ENOTDIR: "a part of the path is no folder, or a link, and links are not followed",
    errno.ELOOP: "it is a link, and links are not followed",
    errno.EACCES: "this server's user may not; give it the right to (setfacl, chmod)",
    errno.EPERM: "this server's user may not; give it the right to (setfacl, chmod)",
    errno.EROFS: "the folder is read-only",
    errno.EEXIST: "there is one already",
    errno.ENOTEMPTY: "the folder is not empty",
    errno.EISDIR: "it is a folder",
    errno.ENOSPC: "the disk is full",
    errno.EFBIG: "it would be larger than a file of this server may be",
    errno.EXDEV: "it lies on another disk; write it there and delete it here",
    errno.ENAMETOOLONG: "its name is too long",
}


@dataclass(frozen=True, slots=True)
class Root:
    """One granted folder."""

    label: str
    """The first part of every path in it."""
    folder: Path
    writable: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A path, read but not looked up."""

    root: Root
    parts: tuple[str, ...]
    """Below the root; none: the root itself."""

    @property
    def text(self) -> str:
        return "/".join((self.root.label, *self.parts))


@dataclass(frozen=True, slots=True)
class Roots:
    """All granted folders, by label."""

    by_label: Mapping[str, Root]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return what the gateway says was granted."""
        found: dict[str, Root] = {}
        for key, writable in (("GRANTED_READ_ONLY", False), ("GRANTED_READ_WRITE", True)):
            for folder in filter(None, environ.get(key, "").split(":")):
                name = Path(folder).name
                label, number = name, 2
                while label in found:
                    label, number = f"{name}-{number}", number + 1
                found[label] = Root(label, Path(folder), writable)
        return cls(found)

    def place(self, path: str) -> Place:
        """Return where a path leads. Raises FilesError: out of the granted folders."""
        if not self.by_label:
            raise FilesError(
                "No folder is granted yet; the owner does it with: ./claude-runner servers grant "
                "files --read-only FOLDER (or --read-write FOLDER)."
            )
        label, *parts = [part for part in path.split("/") if part not in ("", ".")] or [""]
        root = self.by_label.get(label)
        if path.startswith("/") or root is None:
            known = ", ".join(self.by_label)
            raise FilesError(f"{path[:200]!r} is in no granted folder; paths begin with: {known}.")
        if ".." in parts or "\0" in path or len(parts) > MAX_DEPTH:
            raise FilesError(
                f"{path[:200]!r} cannot be used: no '..', at most {MAX_DEPTH} folders."
            )
        return Place(root, tuple(parts))

    def places(self, path: str) -> tuple[Place, ...]:
        """Return one place, or every granted folder for an empty path. Raises FilesError."""
        if path.strip("/.") or not self.by_label:
            return (self.place(path),)
        return tuple(Place(root, ()) for root in self.by_label.values())


@contextmanager
def opened(place: Place, *, make: bool = False) -> Generator[int]:
    """Give an open folder. Raises FilesError; so does what the caller's own system calls raise."""
    with errors_of(place):
        fd = os.open(place.root.folder, FOLDER)
        try:
            for part in place.parts:
                if make:
                    _make(part, fd)
                inner = os.open(part, FOLDER, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)


@contextmanager
def parent_of(place: Place, *, make: bool = False) -> Generator[tuple[int, str]]:
    """Give the open folder that a file lies in, and the file's name. Raises FilesError."""
    if not place.parts:
        raise FilesError(f"{place.text!r} is a granted folder itself; name a file in it.")
    with opened(Place(place.root, place.parts[:-1]), make=make) as fd, errors_of(place):
        yield fd, place.parts[-1]


@contextmanager
def errors_of(place: Place) -> Generator[None]:
    """Tell what the system says about a place in a sentence. Raises FilesError."""
    try:
        yield
    except OSError as error:
        why = _WHY.get(error.errno or 0, error.strerror or "the system refused")
        raise FilesError(f"{place.text!r} cannot be used: {why}.") from error


def _make(part: str, fd: int) -> None:
    try:
        os.mkdir(part, 0o755, dir_fd=fd)
    except FileExistsError:
        return
