"""What the children of a server wrote to standard error: a tail for each, and a rotating file.

Secrets are hidden in both, also where one came in pieces.
"""

from collections import deque
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from supervisor.redaction import Redactor

LOG_FILE = "stderr.log"
TAIL_LINES = 40
MAX_LINE_BYTES = 2000
MAX_UNFINISHED_BYTES = 64 * 1024
"""A line that gets longer is written in pieces."""
FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 3


class StderrTail:
    """The last lines of one child."""

    def __init__(self, log: "StderrLog") -> None:
        self._log = log
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = b""
        self._look_from = 0

    def write(self, data: bytes) -> None:
        """Take bytes as they come from the pipe."""
        rest = self._rest + data
        if len(rest) <= MAX_UNFINISHED_BYTES and (b"\n" not in data or len(rest) < self._look_from):
            self._rest = rest
            return
        done, self._rest = self._log.redactor.hide_lines(rest, MAX_UNFINISHED_BYTES)
        # A long key that comes in many small pieces is looked through only each time it is twice
        # as long: all of them together would cost too much.
        self._look_from = 2 * len(self._rest) if b"\n" in self._rest else 0
        if done:
            self._keep(done)

    def end(self) -> None:
        """Take what is unfinished as a line: the child is gone."""
        if self._rest:
            self._keep(self._log.redactor.hide(self._rest).removesuffix(b"\n") + b"\n")
            self._rest = b""

    def lines(self) -> tuple[str, ...]:
        """Return the last lines, oldest first, unfinished ones included."""
        return (*self._lines, *_lines(self._log.redactor.shown_now(self._rest)))[-TAIL_LINES:]

    def _keep(self, clean: bytes) -> None:
        if trouble := self._log.write_file(clean):
            self._lines.append(trouble)
        self._lines.extend(_lines(clean))


class StderrLog:
    """Owns the file of one server."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self.redactor = redactor
        """Knows what must not stand in it."""
        self._path = path
        self._tail = StderrTail(self)
        self._file: FileIO | None = None
        self._size = 0
        self._at_line_start = True
        self._broken = False

    @property
    def path(self) -> Path:
        """The newest file; older ones have a number behind their name."""
        return self._path

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


def _lines(text: bytes) -> list[str]:
    """Return the last lines of a text, each as far as it is shown."""
    lines = text.removesuffix(b"\n").split(b"\n")[-TAIL_LINES:] if text else []
    return [_text(line[:MAX_LINE_BYTES]) for line in lines]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
