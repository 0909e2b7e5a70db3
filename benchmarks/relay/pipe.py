"""Calls written straight to a server's standard input: what no gateway can surpass."""

import os
import subprocess
import time
from collections.abc import Sequence

from benchmarks.relay.calls import SMALL, ToolCall
from benchmarks.relay.slices import Slice

READ_BYTES = 1024 * 1024
HELLO = (
    b'{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-06-18",'
    b'"capabilities":{},"clientInfo":{"name":"benchmark","version":"1"}}}\n'
)
READY = b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'


class Pipe:
    """A server started as a plain child."""

    name = "direct stdio"

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin and self._process.stdout
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._rest: list[bytes] = []
        self._number = 0
        self._write(HELLO)
        self._lines()
        self._write(READY)
        # Its first call is dear: imports, and in a library's case whatever that puts off.
        self.load(SMALL, 1, 0)

    def load(self, call: ToolCall, callers: int, seconds: int) -> Slice:
        """Keep so many calls in flight, each with an id of its own, for some seconds."""
        before, after = call.around_id()
        asked_at: dict[int, float] = {}
        took: list[float] = []
        bad = 0
        begun = time.perf_counter()

        def ask() -> bytes:
            self._number += 1
            asked_at[self._number] = time.perf_counter()
            return f"{before}{self._number}{after}\n".encode()

        self._write(b"".join(ask() for _ in range(callers)))
        while asked_at:
            lines = self._lines()
            now = time.perf_counter()
            for line in lines:
                took.append(now - asked_at.pop(_id(line)))
                good = call.expected.encode() in line and len(line) >= call.least_bytes
                bad += not good
            if now < begun + seconds:
                self._write(b"".join(ask() for _ in lines))
        took.sort()
        middle, late = took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]
        spent = time.perf_counter() - begun
        return Slice(len(took), spent, bad, p50_ms=middle * 1000, p99_ms=late * 1000)

    def close(self) -> None:
        """End the server."""
        self._process.kill()
        self._process.communicate()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._in, data) :]

    def _lines(self) -> list[bytes]:
        """Return the lines that came, at least one."""
        while True:
            data = os.read(self._out, READ_BYTES)
            if not data:
                raise OSError("the server ended")
            *lines, rest = data.split(b"\n")
            if lines:
                lines[0] = b"".join((*self._rest, lines[0]))
                self._rest = [rest]
                return [line for line in lines if line]
            self._rest.append(rest)


def _id(line: bytes) -> int:
    start = line.index(b'"id":') + 5
    return int(line[start : start + 20].split(b",")[0].split(b"}")[0])
