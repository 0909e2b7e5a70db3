"""Files that an attempt at a run wrote or changed in its work folder."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunFile:
    """One file as an attempt left it."""

    run_id: str
    attempt: int
    seq: int
    """From 0; names the copy."""
    path: str
    """Below the work folder, with secrets hidden; bytes that are no UTF-8 as ``\\xff``."""
    size: int
    kind: str
    """Its media type by name and content, or what it is if it is no file."""
    sha256: str
    """Of the bytes that were kept; empty: none were."""
    reason: str = ""
    """One sentence why its bytes are not kept; empty: they are."""

    @property
    def kept(self) -> bool:
        """True when its bytes can be read."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class RunFileSet:
    """What an attempt left, counted."""

    run_id: str
    attempt: int
    at: int
    """Integer milliseconds UTC."""
    kept: int = 0
    bytes: int = 0
    """Of the files that are kept."""
    unlisted: int = 0
    """Files that are neither kept nor named, because there were too many."""
    cut: bool = False
    """There was too much to look at, so there may be more."""


@dataclass(frozen=True, slots=True)
class LeftFiles:
    """A set with its files."""

    counts: RunFileSet
    files: tuple[RunFile, ...] = ()
