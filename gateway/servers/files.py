"""A change of one file of a dynamic server, as somebody edited it. Pure, over kept files."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.servers.code import MAX_CODE_CHARACTERS
from gateway.servers.content import MAX_BYTES, MAX_FILES, FolderContent, KeptFile
from gateway.servers.difference import difference
from gateway.servers.folders import METADATA_FILE
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import SKIPPED_FOLDERS

MAX_DEPTH = 6
MAX_PATH = 200
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class FileEdit:
    """What one file is to become."""

    path: str
    """Relative to the server's folder."""
    text: str | None
    """None: the file goes."""
    was: str
    """The SHA-256 of what was edited; '' for a file that was not there."""


class FileChanged(InvalidServer):
    """The file is another one than the one that was edited; nothing was changed."""

    def __init__(self, server: str, path: str, present: KeptFile | None, edit: FileEdit) -> None:
        how = "is not there any more" if present is None else "was changed meanwhile"
        super().__init__(f"{path} of server {server!r} {how}; nothing was saved.")
        self.now = digest_of(present)
        before = () if present is None else (present,)
        after = () if edit.text is None else (_file(path, edit.text, present),)
        self.difference = difference(before, after, names="now|yours")


def digest_of(file: KeptFile | None) -> str:
    """Return what an edit of a file says that it edited."""
    return "" if file is None else hashlib.sha256(file.content).hexdigest()


def find_file(files: Iterable[KeptFile], path: str) -> KeptFile | None:
    """Return the file at a path, or None."""
    return next((file for file in files if file.path == path), None)


def text_of(file: KeptFile) -> str | None:
    """Return what a file says; None when it is no text that could be edited."""
    try:
        text = file.content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    # A browser would send other ends of lines back than it was given.
    return None if "\0" in text or "\r" in text else text


def edited(server: str, present: FolderContent, edit: FileEdit) -> tuple[KeptFile, ...]:
    """Return all files of a server with one of them changed.

    Raises:
        FileChanged: it is not the file that was edited.
        InvalidServer: the path or the size cannot be, or nothing would change.
    """
    if present.files is None:
        raise InvalidServer(f"The folder of server {server!r} is too large to be edited here.")
    found = find_file(present.files, edit.path)
    if found is None:
        _check_path(edit.path)
    if digest_of(found) != edit.was:
        raise FileChanged(server, edit.path, found, edit)
    others = tuple(file for file in present.files if file.path != edit.path)
    if edit.text is None:
        if edit.path == METADATA_FILE or found is None:
            raise InvalidServer(f"{edit.path} of server {server!r} cannot be removed.")
        return others
    if len(edit.text) > MAX_CODE_CHARACTERS:
        raise InvalidServer(
            f"{edit.path} has {len(edit.text)} characters; "
            f"at most {MAX_CODE_CHARACTERS} are allowed."
        )
    files = (*others, _file(edit.path, edit.text, found))
    if len(files) > MAX_FILES or sum(len(file.content) for file in files) > MAX_BYTES:
        raise InvalidServer(
            f"Server {server!r} may have {MAX_FILES} files of {MAX_BYTES:,} bytes together."
        )
    return files


def _file(path: str, text: str, present: KeptFile | None) -> KeptFile:
    content = text.encode()
    new = KeptFile(path, content, executable=False)
    return new if present is None else replace(present, content=content)


def _check_path(path: str) -> None:
    parts = path.split("/")
    if (
        len(path) > MAX_PATH
        or len(parts) > MAX_DEPTH
        or not all(_PART.fullmatch(part) for part in parts)
        or not SKIPPED_FOLDERS.isdisjoint(parts)
    ):
        raise InvalidServer(
            f"{path[:60]!r} cannot be a file's path; "
            f"write one such as helpers.py or data/words.txt."
        )
