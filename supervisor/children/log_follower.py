"""Follows what the children of a server write to standard error, from a place on. Blocking.

Above: the dashboard's page of a log. Below: the files that `stderr_log` writes.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from supervisor.children.log_reader import LogLine, parse_line

READ_BYTES = 128 * 1024
"""At once; a reader that is further behind misses what lies between and gets the newest."""
_PLACE = re.compile(r"(\d{1,20})-(\d{1,20})")


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Up to where a log was read."""

    inode: int = 0
    """Of the file; 0: there was none."""
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.inode}-{self.offset}"


@dataclass(frozen=True, slots=True)
class Followed:
    """What was read on."""

    lines: tuple[LogLine, ...]
    place: LogPlace
    skipped: bool = False
    """True when lines before these were left out."""


def read_log_place(text: str) -> LogPlace:
    """Return the place that a text says. Raises ValueError."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no place in a log")
    return LogPlace(int(match[1]), int(match[2]))


def read_end(path: Path) -> Followed:
    """Return the last lines of a log, READ_BYTES at most. Raises OSError."""
    return _last(path)


def read_on(path: Path, place: LogPlace) -> Followed:
    """Return what was written after a place. Raises OSError."""
    size, inode = _stat(path)
    if inode == place.inode and place.offset <= size:
        return _from(path, place) if size - place.offset <= READ_BYTES else _last(path)
    older = path.with_name(f"{path.name}.1")
    older_size, older_inode = _stat(older)
    if older_inode != place.inode or older_size - place.offset > READ_BYTES:
        return _last(path)
    # The file made room for itself: first what was written before that.
    rest = _from(older, place)
    began = _from(path, LogPlace(inode)) if size <= READ_BYTES else _last(path)
    return Followed(rest.lines + began.lines, began.place, began.skipped)


def _last(path: Path) -> Followed:
    """Return the end of a log; it begins with a whole line."""
    size, inode = _stat(path)
    start = max(0, size - READ_BYTES)
    found = _from(path, LogPlace(inode, start))
    return Followed(found.lines[1 if start else 0 :], found.place, skipped=start > 0)


def _from(path: Path, place: LogPlace) -> Followed:
    if not place.inode:
        return Followed((), place)
    with path.open("rb") as file:
        inode = os.fstat(file.fileno()).st_ino
        if inode != place.inode:  # it made room for itself just now
            return Followed((), place)
        file.seek(place.offset)
        data = file.read(READ_BYTES)
    end = data.rfind(b"\n") + 1
    # What has no end yet is read again with its end, unless there is no room to wait for one.
    whole = data if not end and len(data) == READ_BYTES else data[:end]
    return Followed(tuple(_lines(whole)), LogPlace(inode, place.offset + len(whole)))


def _lines(data: bytes) -> Iterator[LogLine]:
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    yield from map(parse_line, lines)


def _stat(path: Path) -> tuple[int, int]:
    """Return size and inode of a file, zeros where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_ino
