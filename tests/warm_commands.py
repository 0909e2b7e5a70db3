"""Commands of Claude Runner that spare a test the start of an interpreter.

One process beside each worker of pytest has imported the whole gateway, and each command is a fork
of it: a process of its own with its own streams, environment and folder, which runs what
`python -I <checkout>` runs. The start itself is shown by the tests that use `COMMAND`.
"""

import array
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, TypeAlias

PARENT = Path(__file__).with_name("warm_parent.py")
START_S = 60.0
PIPE_BYTES = 65_536
"""What a pipe holds before anybody reads it (pipe(7))."""

Done: TypeAlias = "subprocess.CompletedProcess[str]"


class WarmCommand:
    """A command that runs; nobody waits for one whose end does not matter."""

    def __init__(self, arguments: Sequence[str], pid: int, news: socket.socket) -> None:
        self.arguments = arguments
        self.pid = pid
        self._news = news
        self._status: int | None = None

    def wait(self, seconds: float) -> int:
        """Return the exit status, negative for a signal. Raises subprocess.TimeoutExpired."""
        if self._status is None:
            self._news.settimeout(seconds)
            try:
                self._status = _read(self._news)
            except (TimeoutError, BlockingIOError) as error:
                raise subprocess.TimeoutExpired(self.arguments, seconds) from error
            self._news.close()
        return self._status

    def end(self, seconds: float) -> int:
        """Send TERM to a command that still runs; return the exit status."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            # Its parent may have waited for it already and be about to tell its status.
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        return self.wait(seconds)


def start(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    streams: Sequence[int],
) -> WarmCommand:
    """Start a command with these three standard streams, which remain the caller's to close."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        request = {"arguments": list(arguments), "env": dict(env), "cwd": str(cwd)}
        fds = array.array("i", [*streams, theirs.fileno()])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]
        _parent().sendmsg([json.dumps(request).encode()], rights)
    ours.settimeout(START_S)
    return WarmCommand(arguments, _read(ours), ours)


def run(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, given: str, timeout_s: float
) -> Done:
    """Run a command to its end; its standard input is a pipe."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin = _filled_pipe(given.encode())
        try:
            streams = [stdin, stdout.fileno(), stderr.fileno()]
            command = start(arguments, env=env, cwd=cwd, streams=streams)
        finally:
            os.close(stdin)
        status = command.wait(timeout_s)
        return subprocess.CompletedProcess(
            list(arguments), status, stdout=_text(stdout), stderr=_text(stderr)
        )


def _filled_pipe(given: bytes) -> int:
    assert len(given) <= PIPE_BYTES, "nobody writes on while the command runs"
    reading, writing = os.pipe()
    os.write(writing, given)
    os.close(writing)
    return reading


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _read(news: socket.socket) -> int:
    said = news.recv(64)
    assert said, "the parent of warm commands has ended; the captured stderr says why"
    return int(said)


@cache
def _parent() -> socket.socket:
    """Start the process that forks, and return the socket on which it takes requests."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", str(PARENT), str(theirs.fileno())],
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
