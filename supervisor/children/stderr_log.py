"""What the children of a server wrote to standard error: a tail for each, and a rotating file.

Values of the server's credentials are hidden in both, also where a line came in pieces.
"""

import base64
import json
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from urllib.parse import quote

TAIL_LINES = 40
MAX_LINE_BYTES = 2000
MAX_UNFINISHED_BYTES = 64 * 1024
"""A line that gets longer is written in pieces."""
FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 3
SHORTEST_HIDDEN = 4
"""A shorter value is no secret, and hiding it would hide half of what was said."""


class StderrTail:
    """The last lines of one child."""

    def __init__(self, log: "StderrLog") -> None:
        self._log = log
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Take bytes as they come from the pipe."""
        done, end, rest = (self._rest + data).rpartition(b"\n")
        if end:
            self._keep(self._log.hide(done) + end)
        self._rest = rest
        if len(rest) > MAX_UNFINISHED_BYTES:
            # What may be the beginning of a secret waits for its end.
            hidden = self._log.hide(rest)
            cut = len(hidden) - self._log.longest_hidden
            self._keep(hidden[:cut])
            self._rest = hidden[cut:]

    def end(self) -> None:
        """Take what is unfinished as a line: the child is gone."""
        if self._rest:
            self._keep(self._log.hide(self._rest) + b"\n")
            self._rest = b""

    def lines(self) -> tuple[str, ...]:
        """Return the last lines, oldest first, an unfinished one included."""
        rest = self._log.hide(self._rest[:MAX_LINE_BYTES])
        return (*self._lines, *((_text(rest),) if rest else ()))[-TAIL_LINES:]

    def _keep(self, clean: bytes) -> None:
        if trouble := self._log.write_file(clean):
            self._lines.append(trouble)
        for line in clean.removesuffix(b"\n").split(b"\n")[-TAIL_LINES:]:
            self._lines.append(_text(line[:MAX_LINE_BYTES]))


class StderrLog:
    """Owns the file of one server, and knows what must not stand in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tail = StderrTail(self)
        self._hidden: dict[bytes, bytes] = {}
        self._file: FileIO | None = None
        self._size = 0
        self._at_line_start = True
        self._broken = False

    @property
    def path(self) -> Path:
        """The newest file; older ones have a number behind their name."""
        return self._path

    @property
    def longest_hidden(self) -> int:
        """Bytes of the longest text that is hidden."""
        return max(map(len, self._hidden), default=0)

    def keep_secret(self, credentials: Mapping[str, str]) -> None:
        """Hide these values from now on, in the spellings in which programs print them."""
        for key, value in credentials.items():
            for spelling in _spellings(value):
                self._hidden[spelling] = f"[{key} hidden]".encode()
        longest_first = sorted(self._hidden.items(), key=lambda item: -len(item[0]))
        self._hidden = dict(longest_first)

    def hide(self, data: bytes) -> bytes:
        """Return `data` without the values that are kept secret."""
        for secret, shown in self._hidden.items():
            data = data.replace(secret, shown)
        return data

    def begin(self) -> StderrTail:
        """Return the tail of a new child; the file goes on."""
        self._tail = StderrTail(self)
        return self._tail

    def write(self, data: bytes) -> None:
        """Add a line of ours to the tail of the newest child."""
        self._tail.write(data)

    def tail(self) -> tuple[str, ...]:
        """Return the last lines of the newest child."""
        return self._tail.lines()

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def write_file(self, data: bytes) -> str | None:
        """Add to the file, each line with its time; the file makes room for itself.

        Returns why it cannot be written, the first time that it cannot; None else.
        """
        try:
            self._write_file(self._stamped(data))
        except OSError as error:
            # A full disk must not end the reading of the pipe, which would stop the child.
            told, self._broken = self._broken, True
            return None if told else f"({self._path} cannot be written: {error.strerror})"
        self._broken = False
        return None

    def _write_file(self, data: bytes) -> None:
        file = self._file or self._open()
        if self._size + len(data) > FILE_BYTES:
            self._rotate()
            file = self._open()
        file.write(data)
        self._size += len(data)

    def _stamped(self, data: bytes) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        stamp = f"{now} ".encode()
        text = data.replace(b"\n", b"\n" + stamp)
        if self._at_line_start:
            text = stamp + text
        self._at_line_start = data.endswith(b"\n")
        return text.removesuffix(stamp) if self._at_line_start else text

    def _open(self) -> FileIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("ab", buffering=0)
        self._path.chmod(0o600)
        self._size = self._file.tell()
        return self._file

    def _rotate(self) -> None:
        self.close()
        for n in range(FILES_KEPT - 1, 0, -1):
            newer = self._path if n == 1 else self._path.with_name(f"{self._path.name}.{n - 1}")
            if newer.exists():
                newer.replace(self._path.with_name(f"{self._path.name}.{n}"))


def _spellings(value: str) -> Iterator[bytes]:
    """Yield a value as it may be printed: whole or by lines, quoted for JSON, a URL, a header."""
    texts = {value, *value.splitlines(), json.dumps(value)[1:-1], repr(value)[1:-1]}
    texts |= {quote(value, safe=""), quote(value)}
    texts.add(base64.b64encode(value.encode()).decode())
    for text in texts:
        if len(text.strip()) >= SHORTEST_HIDDEN:
            yield text.encode()


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
