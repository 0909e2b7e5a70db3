"""What a child wrote to standard error: a bounded tail in memory and a rotating file."""

from collections import deque
from io import FileIO
from pathlib import Path

TAIL_LINES = 40
MAX_LINE_BYTES = 2000
FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 3


class StderrLog:
    """Keeps the last lines of all generations of one server and the last megabytes on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._line = b""
        self._file: FileIO | None = None
        self._size = 0

    def begin(self) -> None:
        """Start a new child's tail; the file goes on."""
        self._tail.clear()
        self._line = b""

    def write(self, data: bytes) -> None:
        """Take bytes as they come from the pipe."""
        self._to_file(data)
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[:MAX_LINE_BYTES]
        for line in lines[-TAIL_LINES:]:
            self._keep(line)

    def tail(self) -> tuple[str, ...]:
        """Return the last lines, oldest first, an unfinished one included."""
        unfinished = (_text(self._line),) if self._line else ()
        return (*self._tail, *unfinished)[-TAIL_LINES:]

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keep(self, line: bytes) -> None:
        self._tail.append(_text(line[:MAX_LINE_BYTES]))

    def _to_file(self, data: bytes) -> None:
        file = self._file or self._open()
        if self._size + len(data) > FILE_BYTES:
            self._rotate()
            file = self._open()
        file.write(data)
        self._size += len(data)

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


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
