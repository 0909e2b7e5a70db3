"""A version of a dynamic server: what its folder held when somebody changed it."""

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """How a version came to be."""

    CREATED = "created"
    UPDATED = "updated"
    ROLLED_BACK = "rolled_back"
    EDITED = "edited"
    """Found in the folder: somebody wrote there by hand."""


class VersionResult(StrEnum):
    """What became of a version when it was started."""

    WORKED = "worked"
    REJECTED = "rejected"
    """It did not become ready; the reason says why."""
    WAITING = "waiting"
    """Not started before the owner approves; what served before goes on."""
    UNTRIED = "untried"
    """Not started yet: the server is disabled, lacks a credential or is being prepared."""


@dataclass(frozen=True, slots=True)
class VersionFile:
    """A file of a version; its content is kept under the hash."""

    path: str
    """Relative to the server's folder."""
    sha256: str
    size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """One version of one server; numbers count from 1 and are never used twice."""

    server: str
    number: int
    origin: Origin
    author: str
    made_at: int
    digest: str
    """Of the whole folder, as the supervisor tells code apart."""
    result: VersionResult
    reason: str
    files: tuple[VersionFile, ...] | None
    """None: the folder was too large to be kept, so it cannot be shown or brought back."""
    restored: int | None = None
    """The version whose files these are, when it was rolled back."""
    base: str | None = None
    """The digest of what the folder held when this was made, of one that waited."""
