"""What a server's folder holds at one instant, as far as it is kept. Blocking."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.server_version import VersionFile
from supervisor.folders.catalog import code_files, digest

MAX_FILES = 100
MAX_BYTES = 2 * 1024 * 1024
"""All files of one version together; the code itself may have a megabyte."""
EXECUTABLE = 0o100


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file with its content."""

    path: str
    """Relative to the server's folder."""
    content: bytes
    executable: bool

    @property
    def record(self) -> VersionFile:
        """The file without its content."""
        sha256 = hashlib.sha256(self.content).hexdigest()
        return VersionFile(self.path, sha256, len(self.content), self.executable)


@dataclass(frozen=True, slots=True)
class FolderContent:
    """The files of a folder, or None when they are too many or too large to be kept."""

    digest: str
    files: tuple[KeptFile, ...] | None


def read_content(folder: Path) -> FolderContent:
    """Return what a server's folder holds. Raises OSError."""
    found = sorted(code_files(folder))
    states = [path.stat() for path in found]
    if len(found) > MAX_FILES or sum(state.st_size for state in states) > MAX_BYTES:
        return FolderContent(digest(folder), None)
    files = tuple(
        KeptFile(
            path.relative_to(folder).as_posix(),
            path.read_bytes(),
            bool(state.st_mode & EXECUTABLE),
        )
        for path, state in zip(found, states, strict=True)
    )
    return FolderContent(digest(folder), files)
