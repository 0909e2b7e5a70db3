"""What tools answer about files that a run left."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.domain.run_file import RunFile, RunFileSet

SHOWN_FILES = 30
"""Of a run in one answer about the run."""


@dataclass(frozen=True, slots=True)
class RunFileView:
    """One file as an attempt left it."""

    path: str
    """Below the work folder, with secrets hidden."""
    bytes: int
    kind: str
    """Its media type by name and content; link, pipe, socket or device if it is no file."""
    sha256: str | None
    attempt: int
    number: int
    """Of the file among those of its attempt."""
    not_kept: str | None
    """Why its bytes are not kept; null: read_run_file reads them."""


@dataclass(frozen=True, slots=True)
class RunFileList:
    """Files that a run wrote or changed, those of its last attempt first."""

    files: list[RunFileView]
    kept: int
    kept_bytes: int
    unlisted: int
    """How many more there were than are named."""
    may_be_more: bool
    """There was too much in the folder to look at all of it."""
    next_offset: int | None
    """Where the next page begins; null: there is none."""


def view_run_files(
    files: Iterable[RunFile], sets: Iterable[RunFileSet], *, next_offset: int | None
) -> RunFileList:
    """Return files as tools list them."""
    sets = tuple(sets)
    return RunFileList(
        files=[view_run_file(file) for file in files],
        kept=sum(each.kept for each in sets),
        kept_bytes=sum(each.bytes for each in sets),
        unlisted=sum(each.unlisted for each in sets),
        may_be_more=any(each.cut for each in sets),
        next_offset=next_offset,
    )


def view_run_file(file: RunFile) -> RunFileView:
    """Return a file as tools list it."""
    return RunFileView(
        path=file.path,
        bytes=file.size,
        kind=file.kind,
        sha256=file.sha256 or None,
        attempt=file.attempt,
        number=file.seq,
        not_kept=file.reason or None,
    )
