"""Writes an archive: the database of one instant, and the servers' folders as they are read."""

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from gateway.backup.errors import BackupError
from gateway.backup.manifest import (
    DATABASE,
    DYNAMIC,
    FIXED,
    FORMAT,
    HOME,
    NAME,
    SETTINGS,
    Entry,
    Manifest,
)
from gateway.backup.settings_file import secret_names, settings_text
from gateway.backup.telling import Told, untold
from gateway.backup.trees import MAX_ENTRIES, Found, LeftOut, walk
from gateway.domain.clock import utc_ms
from gateway.server_names import ADDED
from gateway.setting_origins import Standing
from gateway.settings import Settings
from gateway.store.copying import check_sqlite, copy_sqlite
from gateway.store.transfer import export_postgres
from gateway.version import read_version

KEPT_OF_HOME = (ADDED, "claude_playground", "grants", "run_files")
"""Servers that were added, work folders of jobs, what servers were granted, and files of runs."""
KEPT_OF_SERVER = ("data", "private")
CHUNK = 1024 * 1024
IN_MEMORY = 4 * 1024 * 1024
LEFT_OUT_SHOWN = 1000


@dataclass(slots=True)
class _Archive:
    tar: tarfile.TarFile
    told: Told
    files: dict[str, Entry] = field(default_factory=dict[str, Entry])
    left_out: list[str] = field(default_factory=list[str])

    def add_tree(self, name: str, folder: Path) -> None:
        """Add a folder and all below it."""
        for found in walk(folder):
            if isinstance(found, LeftOut):
                self.left_out.append(f"{name}/{found.name}: {found.reason}")
            else:
                self._add(str(PurePosixPath(name, found.name)), found)
            if len(self.files) > MAX_ENTRIES:
                raise BackupError(f"{folder} holds more than {MAX_ENTRIES} files; remove some.")

    def add_file(self, name: str, file: BinaryIO, mode: int = 0o600) -> None:
        """Add a file as long as it is when it is read, which may be longer than a moment ago."""
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as whole:
            digest = hashlib.sha256()
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                whole.write(chunk)
            info = tarfile.TarInfo(name)
            info.size, info.mode = whole.tell(), mode
            whole.seek(0)
            self.tar.addfile(info, whole)
        self.files[name] = Entry(info.size, digest.hexdigest())
        self.told(len(self.files))

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a file of ours."""
        self.add_file(name, io.BytesIO(content))

    def _add(self, name: str, found: Found) -> None:
        info = tarfile.TarInfo(name)
        info.mode = found.status.st_mode & 0o777
        if found.file is not None:
            self.add_file(name, found.file, info.mode)
        elif found.link is not None:
            info.type, info.linkname = tarfile.SYMTYPE, found.link
            self.tar.addfile(info)
            self.files[name] = Entry(0, hashlib.sha256(os.fsencode(found.link)).hexdigest())
        else:
            info.type = tarfile.DIRTYPE
            self.tar.addfile(info)


def write_archive(
    settings: Settings, standings: Sequence[Standing], target: Path, told: Told = untold
) -> Manifest:
    """Write everything of a home and its servers to `target`, for its owner's eyes only.

    A gateway may run meanwhile. `told` hears how many files are done. Raises BackupError,
    StoreError and OSError.
    """
    with _beside(target) as file, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        copied = Path(scratch) / "jobs.db"
        _copy_database(settings, copied)
        schema, secrets = check_sqlite(copied), secret_names(standings)
        blank = Manifest(FORMAT, utc_ms(), read_version(), schema, secrets)
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
            archive = _Archive(tar, told)
            with copied.open("rb") as database:
                archive.add_file(DATABASE, database)
            archive.add_bytes(SETTINGS, settings_text(standings).encode())
            for name, folder in _trees(settings):
                archive.add_tree(name, folder)
            shown = tuple(archive.left_out[:LEFT_OUT_SHOWN])
            manifest = replace(blank, files=dict(archive.files), left_out=shown)
            archive.add_bytes(NAME, manifest.encode())
    return manifest


def _copy_database(settings: Settings, target: Path) -> None:
    """Write the database of one instant to a SQLite file, whichever of both it is."""
    if settings.database_url is None:
        copy_sqlite(settings.home / "jobs.db", target)
    else:
        export_postgres(settings.database_url.reveal(), target)


def _trees(settings: Settings) -> Iterator[tuple[str, Path]]:
    for name in KEPT_OF_HOME:
        yield f"{HOME}/{name}", settings.home / name
    for server in _folders(settings.home / "servers"):
        for name in KEPT_OF_SERVER:
            yield f"{HOME}/servers/{server.name}/{name}", server / name
    for name, root in (
        (DYNAMIC, settings.dynamic_servers_dir),
        (FIXED, settings.fixed_servers_dir),
    ):
        for server in _folders(root):
            # A server that is a link of its owner's is taken as what it leads to.
            yield f"{name}/{server.name}", server.resolve()


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(each for each in root.iterdir() if each.is_dir() and each.name[0] != ".")


@contextmanager
def _beside(target: Path) -> Generator[BinaryIO]:
    """Give a file that takes its name when all of it is on the disk."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
