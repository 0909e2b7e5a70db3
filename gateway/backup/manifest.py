"""What an archive says about itself: its format, where it comes from, each file's digest."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.backup.errors import ArchiveDamaged

T = TypeVar("T")

FORMAT = 1
NAME = "manifest.json"
MAX_BYTES = 512 * 1024 * 1024
DATABASE = "database/jobs.db"
SETTINGS = "settings.env"
HOME = "home"
DYNAMIC = "dynamic_servers"
FIXED = "fixed-servers"
ROOTS = frozenset({"database", HOME, DYNAMIC, FIXED, SETTINGS})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive."""

    size: int
    digest: str
    """SHA-256 of its content, or of the text of a link."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that has to be known before anything of an archive is used."""

    format: int
    made_at: int
    """Milliseconds UTC."""
    version: str
    """Of the program that made it."""
    schema: str
    """The revision of its database."""
    secrets: tuple[str, ...]
    """Names of settings that were secrets and are not in it."""
    files: dict[str, Entry] = field(default_factory=dict[str, Entry])
    left_out: tuple[str, ...] = ()
    """What was there and could not be taken, such as links that lead outside."""

    def encode(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1).encode()


@dataclass(frozen=True, slots=True)
class Head:
    """What every format says."""

    format: int
    version: str


def read_head(path: Path, text: bytes) -> Head:
    """Return the first look at the manifest of the archive at `path`. Raises ArchiveDamaged."""
    return _decoded(path, text, Head)


def read_manifest(path: Path, text: bytes) -> Manifest:
    """Return the manifest of the archive at `path`. Raises ArchiveDamaged."""
    return _decoded(path, text, Manifest)


def _decoded(path: Path, text: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise ArchiveDamaged(path, f"its {NAME} cannot be read") from error
