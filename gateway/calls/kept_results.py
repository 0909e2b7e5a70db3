"""Large results, kept for whoever made the call until they are read.

Each lies in a file of the home that has no name: only this process can reach it, and the kernel
removes it with the process, however that ends. Memory holds the handles alone.
"""

import re
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

import anyio.to_thread

from gateway.domain.ids import new_id

KEEP_S = 3600.0
MAX_PER_OWNER = 32
MAX_BYTES_PER_OWNER = 128 * 1024 * 1024
MAX_RESULTS = 256
MAX_BYTES = 512 * 1024 * 1024
EXCERPT_BYTES = 150
"""On each side of what was found."""
MAX_EXCERPTS = 20
MAX_LINE_BYTES = 1000
"""A page ends at the end of a line if one ends so near."""
CONTINUATION = 0b1000_0000
"""The two high bits of a byte inside a UTF-8 character (RFC 3629, section 3)."""


class NoSuchResult(Exception):
    """No result of this caller has this handle."""

    def __init__(self, handle: str) -> None:
        super().__init__(
            f"There is no result {handle!r} of yours; results are kept for an hour and end with"
            " the gateway. Call the tool again if that does no harm."
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a result."""

    text: str
    offset: int
    """Bytes before it."""
    end: int
    """Bytes up to its end; where the next page begins."""
    total: int


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Places of a result that hold a text."""

    pages: tuple[Page, ...]
    total: int
    more_from: int | None
    """Where to go on searching; None at the end."""


@dataclass(frozen=True, slots=True)
class _Kept:
    owner: str
    file: IO[bytes]
    size: int
    until: float
    lock: threading.Lock = field(default_factory=threading.Lock)

    def slice(self, start: int, length: int) -> bytes:
        """Return bytes of the file. Blocking. Raises ValueError once it is closed."""
        with self.lock:
            self.file.seek(start)
            return self.file.read(length)

    def close(self) -> None:
        """Let the file go, after the read that is under way."""
        with self.lock:
            self.file.close()


class KeptResults:
    """Keeps texts by handle and owner, a bounded number for an hour, while it is entered."""

    def __init__(self, home: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._now = now
        self._kept: dict[str, _Kept] = {}

    async def keep(self, owner: str, text: bytes) -> str:
        """Keep a text in UTF-8 and return its handle. Raises OSError when the disk is full."""
        file = await anyio.to_thread.run_sync(_write, self._home, text)
        handle = new_id("result")
        self._kept[handle] = _Kept(owner, file, len(text), self._now() + KEEP_S)
        self._make_room(owner)
        return handle

    async def read(self, owner: str, handle: str, *, offset: int, length: int) -> Page:
        """Return the page at `offset`, of about `length` bytes. Raises NoSuchResult."""
        kept = self._find(owner, handle)
        return await anyio.to_thread.run_sync(_read, kept, offset, length)

    async def search(self, owner: str, handle: str, *, text: str, offset: int) -> Excerpts:
        """Return the places from `offset` on that hold `text`, in any case of ASCII letters.

        Raises:
            NoSuchResult.
        """
        kept = self._find(owner, handle)
        return await anyio.to_thread.run_sync(_search, kept, text, offset)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for handle in tuple(self._kept):
            self._drop(handle)

    def _find(self, owner: str, handle: str) -> _Kept:
        self._drop_expired()
        kept = self._kept.get(handle)
        # To anybody else it is not there, whatever the handle.
        if kept is None or kept.owner != owner:
            raise NoSuchResult(handle)
        return kept

    def _make_room(self, owner: str) -> None:
        """Drop what is too old, then the oldest of the owner, then the oldest of all."""
        self._drop_expired()
        mine = {handle: kept for handle, kept in self._kept.items() if kept.owner == owner}
        self._drop_oldest(mine, MAX_PER_OWNER, MAX_BYTES_PER_OWNER)
        self._drop_oldest(dict(self._kept), MAX_RESULTS, MAX_BYTES)

    def _drop_oldest(self, among: dict[str, _Kept], count: int, size: int) -> None:
        while len(among) > count or sum(kept.size for kept in among.values()) > size:
            oldest = next(iter(among))
            del among[oldest]
            self._drop(oldest)

    def _drop_expired(self) -> None:
        now = self._now()
        for handle in [handle for handle, kept in self._kept.items() if kept.until <= now]:
            self._drop(handle)

    def _drop(self, handle: str) -> None:
        self._kept.pop(handle).close()


def cut(text: bytes, length: int) -> int:
    """Return where to cut a text in UTF-8 after at most `length` bytes.

    At the end of a line if one is near, else between two characters.
    """
    if len(text) <= length:
        return len(text)
    line = text.rfind(b"\n", max(0, length - MAX_LINE_BYTES), length)
    return line + 1 if line >= 0 else _character_start(text, length)


def _character_start(text: bytes, at: int) -> int:
    while 0 < at < len(text) and text[at] & 0b1100_0000 == CONTINUATION:
        at -= 1
    return at


def _write(home: Path, text: bytes) -> IO[bytes]:
    file = tempfile.TemporaryFile(dir=home)  # noqa: SIM115 - closed when it is dropped
    try:
        file.write(text)
        file.flush()
    except OSError:
        file.close()
        raise
    return file


def _read(kept: _Kept, offset: int, length: int) -> Page:
    # A few bytes on both sides, for an offset and an end inside a character.
    offset = min(offset, kept.size)
    start = max(0, offset - 3)
    text = kept.slice(start, offset - start + length + 4)
    begin = _character_start(text, offset - start)
    end = begin + max(cut(text[begin:], length), _first_character(text[begin:]))
    shown = text[begin:end].decode("utf-8", "replace")
    return Page(shown, start + begin, start + end, kept.size)


def _first_character(text: bytes) -> int:
    """Return the length of the first character, so that a page never stands still."""
    end = 1
    while end < len(text) and text[end] & 0b1100_0000 == CONTINUATION:
        end += 1
    return min(end, len(text))


def _search(kept: _Kept, text: str, offset: int) -> Excerpts:
    size = kept.size
    whole = kept.slice(0, size)
    pages: list[Page] = []
    end = offset
    for match in re.finditer(re.escape(text.encode()), whole, re.IGNORECASE):
        if match.start() < end:
            continue
        if len(pages) == MAX_EXCERPTS:
            return Excerpts(tuple(pages), size, match.start())
        begin = _character_start(whole, max(0, match.start() - EXCERPT_BYTES))
        end = _character_start(whole, min(size, match.end() + EXCERPT_BYTES))
        pages.append(Page(whole[begin:end].decode("utf-8", "replace"), begin, end, size))
    return Excerpts(tuple(pages), size, None)
