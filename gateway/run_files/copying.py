"""Copies what a run left to where the next run cannot change it. Blocking."""

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.domain.run_file import LeftFiles, RunFile, RunFileSet
from gateway.run_files.finding import OPEN_FOLDER, Changed, find_changed, open_below
from gateway.run_files.kinds import kind_of
from sandboxes.policy import MIB

FILES = 100
"""Kept of an attempt."""
NOT_KEPT = 100
"""Named of an attempt besides, each with the reason why it is not kept."""
FILE_BYTES = 16 * MIB
ATTEMPT_BYTES = 64 * MIB
CHUNK = MIB
PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
# A pipe must not make us wait for its other end.
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_OTHERS = {
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


class NotKept(Exception):
    """The bytes of a file are not kept; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much of an attempt is kept."""

    files: int = FILES
    not_kept: int = NOT_KEPT
    file_bytes: int = FILE_BYTES
    bytes: int = ATTEMPT_BYTES


def keep_changed(
    work: Path,
    since_ns: int,
    into: Path,
    counts: RunFileSet,
    *,
    hide: Callable[[str], str],
    room: Room,
) -> LeftFiles:
    """Copy what changed in a work folder to the new folder `into`; return what there was.

    `into` is made only if something is kept. `hide` takes secrets out of names; bytes stay as
    they are. Raises OSError when the work folder or `into` cannot be used.
    """
    top = os.open(work, OPEN_FOLDER)
    try:
        found = find_changed(top, since_ns)
        keeper = Keeper(top, into, hide, room, counts)
        keeper.take(found.changed)
    finally:
        os.close(top)
    return keeper.left(cut=found.cut)


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied of a file."""

    sha256: str
    beginning: bytes


class Keeper:
    """Keeps what changed below the folder `top`, of one attempt."""

    def __init__(
        self, top: int, into: Path, hide: Callable[[str], str], room: Room, counts: RunFileSet
    ) -> None:
        self._top = top
        # Without a sandbox a CLI runs as our own user, whoever its folder was given to.
        self._owners = {os.fstat(top).st_uid, os.geteuid()}
        self._into = into
        self._hide = hide
        self._room = room
        self._counts = counts
        self._files: list[RunFile] = []
        self._refused = 0
        self._unlisted = 0
        self._kept = 0
        self._bytes = 0

    def take(self, changed: tuple[Changed, ...]) -> None:
        """Keep each file, or name it, or count it."""
        for each in changed:
            try:
                file = self._keep(each)
            except NotKept as reason:
                file = self._refuse(each, str(reason))
            except OSError as error:
                file = self._refuse(each, f"It cannot be copied: {error.strerror}.")
            if file is None:
                self._unlisted += 1
            else:
                self._files.append(file)

    def left(self, *, cut: bool) -> LeftFiles:
        """Return what the attempt left."""
        counts = replace(
            self._counts, kept=self._kept, bytes=self._bytes, unlisted=self._unlisted, cut=cut
        )
        return LeftFiles(counts, tuple(self._files))

    def _keep(self, changed: Changed) -> RunFile:
        if other := _OTHERS.get(stat.S_IFMT(changed.mode)):
            raise NotKept(f"It is a {other}, no file.")
        if self._kept >= self._room.files:
            raise NotKept(f"{self._room.files} files are kept of an attempt.")
        source = open_below(self._top, changed.parts, OPEN_FILE)
        try:
            status = os.fstat(source)
            self._check(status)
            self._into.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            copied = copy_file(source, status, self._into / str(len(self._files)))
        finally:
            os.close(source)
        self._kept += 1
        self._bytes += status.st_size
        kind = kind_of(changed.path, copied.beginning)
        return self._row(changed, status.st_size, kind, copied.sha256)

    def _check(self, status: os.stat_result) -> None:
        """Raise NotKept unless the file may be kept."""
        if not stat.S_ISREG(status.st_mode):
            raise NotKept("It is no file any more.")
        if status.st_uid not in self._owners:
            raise NotKept("It belongs to another user.")
        if status.st_nlink > 1:
            raise NotKept("It has other names, which may lead out of the folder.")
        if status.st_size > self._room.file_bytes:
            raise NotKept(f"Files of at most {self._room.file_bytes} bytes are kept.")
        if self._bytes + status.st_size > self._room.bytes:
            raise NotKept(f"{self._room.bytes} bytes are kept of an attempt.")

    def _refuse(self, changed: Changed, reason: str) -> RunFile | None:
        self._refused += 1
        if self._refused > self._room.not_kept:
            return None
        kind = _OTHERS.get(stat.S_IFMT(changed.mode)) or kind_of(changed.path, None)
        return self._row(changed, changed.size, kind, "", reason)

    def _row(
        self, changed: Changed, size: int, kind: str, sha256: str, reason: str = ""
    ) -> RunFile:
        return RunFile(
            run_id=self._counts.run_id,
            attempt=self._counts.attempt,
            seq=len(self._files),
            path=self._hide(changed.path),
            size=size,
            kind=kind,
            sha256=sha256,
            reason=reason,
        )


def copy_file(source: int, before: os.stat_result, place: Path) -> Copied:
    """Copy an open file as it was at `before` to the new file `place`.

    Raises NotKept when it changed since, and OSError; then `place` is not there.
    """
    target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(target, "wb") as file:
            digest, copied, beginning = hashlib.sha256(), 0, b""
            # One byte more, to see that it grew.
            while chunk := os.read(source, min(CHUNK, before.st_size + 1 - copied)):
                beginning = beginning or chunk
                digest.update(chunk)
                copied += len(chunk)
                file.write(chunk)
        unchanged = os.fstat(source).st_ctime_ns == before.st_ctime_ns
        if copied != before.st_size or not unchanged:
            raise NotKept("It changed while it was copied.")
    except BaseException:
        with suppress(OSError):
            place.unlink()
        raise
    return Copied(digest.hexdigest(), beginning)
