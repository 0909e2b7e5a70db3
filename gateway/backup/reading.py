"""Unpacks an archive beside where it will go, and believes none of it before all was checked.

Nothing is ever written through a link: links are made last.
"""

import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from gateway.backup.errors import ArchiveDamaged, ArchiveTooNew, BackupError
from gateway.backup.manifest import (
    DATABASE,
    FORMAT,
    HOME,
    MAX_BYTES,
    NAME,
    ROOTS,
    Entry,
    Manifest,
    read_head,
    read_manifest,
)
from gateway.backup.telling import Told, untold
from gateway.backup.trees import MAX_ENTRIES, leads_outside
from gateway.store.copying import check_sqlite
from gateway.store.errors import StoreUnavailable
from gateway.store.schema import HEAD
from sandboxes.ownership import WAY

CHUNK = 1024 * 1024
SPARE_BYTES = 64 * 1024 * 1024
"""What is left free on the disk."""
TREE_PARTS = 2
"""Names in front of what a link may lead about in, such as `dynamic_servers/mailer`."""
SERVER_STATE_PARTS = 4
"""The same for `home/servers/mailer/data`."""


@dataclass(slots=True)
class _Unpacked:
    path: Path
    folder: Path
    room: int
    """Bytes that may still be written."""
    told: Told
    found: dict[str, Entry] = field(default_factory=dict[str, Entry])
    links: dict[str, str] = field(default_factory=dict[str, str])
    modes: dict[str, int] = field(default_factory=dict[str, int])
    manifest: bytes | None = None

    def take(self, member: tarfile.TarInfo, tar: tarfile.TarFile) -> None:
        """Take one member. Raises ArchiveDamaged and BackupError."""
        name = member.name
        self._check(name)
        if member.isdir():
            self._make_way(name)
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
            self.modes[name] = member.mode & 0o777
        elif member.issym():
            if leads_outside(_in_tree(name), member.linkname):
                raise self.damaged(f"the link {name[:200]!r} leads outside")
            self.links[name] = member.linkname
            digest = hashlib.sha256(os.fsencode(member.linkname)).hexdigest()
            self.found[name] = Entry(0, digest)
        elif member.isreg():
            content = tar.extractfile(member)
            assert content is not None, "a regular member has content"
            self._take_file(member, content)
        else:
            raise self.damaged(f"{name[:200]!r} is neither a file nor a folder")

    def damaged(self, reason: str) -> ArchiveDamaged:
        """Return the refusal of this archive."""
        return ArchiveDamaged(self.path, reason)

    def finish(self) -> None:
        """Make the links, then give folders their modes. Raises ArchiveDamaged."""
        for name, target in self.links.items():
            # Where it leads was checked by its name, which would be another place.
            if any(str(folder) in self.links for folder in PurePosixPath(name).parents):
                raise self.damaged(f"the link {name[:200]!r} lies below a link")
            self._make_way(name)
            (self.folder / name).symlink_to(target)
        for name in sorted(self.modes, reverse=True):
            (self.folder / name).chmod(self.modes[name])

    def _make_way(self, name: str) -> None:
        """Make the folders above; one that the archive does not name gets its usual mode."""
        for folder in reversed(PurePosixPath(name).parents[:-1]):
            if str(folder) not in self.modes:
                (self.folder / folder).mkdir(mode=0o700, exist_ok=True)
                self.modes[str(folder)] = _usual_mode(folder)

    def _take_file(self, member: tarfile.TarInfo, content: IO[bytes]) -> None:
        if member.size > self.room:
            raise BackupError(f"The disk of {self.folder} has no room for {self.path}.")
        if member.name == NAME:
            if member.size > MAX_BYTES:
                raise self.damaged(f"its {NAME} is too large")
            self.manifest = content.read()
            return
        self.room -= member.size
        self.found[member.name] = self._write(member, content)
        self.told(len(self.found))

    def _write(self, member: tarfile.TarInfo, content: IO[bytes]) -> Entry:
        place = self.folder / member.name
        self._make_way(member.name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        digest, size = hashlib.sha256(), 0
        with os.fdopen(os.open(place, flags, 0o600), "wb") as file:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        place.chmod(member.mode & 0o777)
        return Entry(size, digest.hexdigest())

    def _check(self, name: str) -> None:
        path = PurePosixPath(name)
        odd = path.is_absolute() or ".." in path.parts or str(path) != name or "\0" in name
        if odd or (path.parts[0] not in ROOTS and name != NAME):
            raise self.damaged(f"it has a file in a place that is not its own, {name[:200]!r}")
        if name in self.found or (name == NAME and self.manifest is not None):
            raise self.damaged(f"{name[:200]!r} is in it twice")
        if len(self.found) > MAX_ENTRIES or len(self.modes) > MAX_ENTRIES:
            raise self.damaged("it has too many files")


def unpack(path: Path, folder: Path, told: Told = untold) -> Manifest:
    """Write what an archive holds into an empty folder and return what it says of itself.

    `told` hears how many files are done.

    Raises:
        ArchiveDamaged, ArchiveTooNew: nothing of it may be used; the folder is to be removed.
        BackupError: it cannot be read, or the disk is too small.
    """
    unpacked = _Unpacked(path, folder, shutil.disk_usage(folder).free - SPARE_BYTES, told)
    try:
        for member, tar in _members(path):
            unpacked.take(member, tar)
        manifest = _checked(unpacked)
        unpacked.finish()
        return manifest
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise unpacked.damaged(str(error) or type(error).__name__) from error
    except OSError as error:
        # gzip's own error is one of these, without a number.
        if error.errno is None:
            raise unpacked.damaged(str(error)) from error
        raise BackupError(f"{path} cannot be unpacked: {error.strerror}.") from error


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    with tarfile.open(path, mode="r|gz", errorlevel=2) as tar:
        for member in tar:
            yield member, tar


def _checked(unpacked: _Unpacked) -> Manifest:
    """Return the manifest if everything is as it says."""
    if unpacked.manifest is None:
        raise unpacked.damaged(f"its end with {NAME} is missing")
    about = read_head(unpacked.path, unpacked.manifest)
    if about.format > FORMAT:
        raise ArchiveTooNew(unpacked.path, about.version)
    manifest = read_manifest(unpacked.path, unpacked.manifest)
    if not _older_or_equal(manifest.schema):
        raise ArchiveTooNew(unpacked.path, manifest.version)
    for name in sorted(manifest.files.keys() | unpacked.found.keys()):
        if manifest.files.get(name) != unpacked.found.get(name):
            raise unpacked.damaged(f"{name[:200]!r} is not what was written")
    try:
        revision = check_sqlite(unpacked.folder / DATABASE)
    except StoreUnavailable as error:
        raise unpacked.damaged("its database cannot be read") from error
    if revision != manifest.schema:
        raise unpacked.damaged("its database is of another version than it says")
    return manifest


def _older_or_equal(schema: str) -> bool:
    return schema.isdigit() and int(schema) <= int(HEAD)


def _usual_mode(folder: PurePosixPath) -> int:
    """Return the mode that the program gives a folder: a server's child may be another user."""
    if folder.parts[0] != HOME:
        return 0o755
    of_servers = folder.parts[1:2] == ("servers",) and len(folder.parts) < SERVER_STATE_PARTS
    return WAY if of_servers else 0o700


def _in_tree(name: str) -> str:
    """Return a name below the tree that was walked for it."""
    parts = PurePosixPath(name).parts
    own = SERVER_STATE_PARTS if parts[:2] == (HOME, "servers") else TREE_PARTS
    return "/".join(parts[own:])
