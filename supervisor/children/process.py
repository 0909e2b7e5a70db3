"""One operating-system process with three pipes, owned by us from spawn to reaping.

Exits are noticed through a descriptor of their own, never through the pipes: a grandchild may
hold those open. Above: `child`. Below: `spawned`.
"""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import anyio
import psutil

from supervisor.children.flow import OutputFlow
from supervisor.children.spawned import Spawned
from supervisor.children.wire import OversizedFrame, Splitter

READ_BYTES = 64 * 1024
"""At once: what a pipe holds as the kernel makes it. Room for more than 128 KiB would be got from
the kernel and given back each time, which takes ten times as long as to read a small answer."""
LONG_READ_BYTES = 256 * 1024
"""After a read that was full: then there is more."""
LONG_PIPE_BYTES = 512 * 1024
"""Of a child that filled its own: it writes long answers in fewer turns of it and us."""
MAX_UNSENT_BYTES = 32 * 1024 * 1024
"""A child that lets this much input wait has stopped reading."""
DRAIN_READS = 16
"""More than any pipe holds; a daemon that got away with the pipe cannot keep us reading."""
MUTE_GRACE_S = 1.0
"""A process that ends closes its output a moment before its exit is noticed."""
STDIN_GRACE_S = 2.0
"""MCP's shutdown order for stdio: close the input and wait, then signals."""
TERM_GRACE_S = 2.0
KILL_GRACE_S = 5.0
"""A killed process that is not gone by then is stuck in the kernel; it is reported."""


MEANINGS = {
    signal.SIGSYS: "a system call that the sandbox forbids",
    signal.SIGXFSZ: "a file larger than the sandbox allows",
    signal.SIGSEGV: "its own compiled code crashed",
    signal.SIGABRT: "it gave itself up",
}
"""What signals say that a server's author did not send."""


@dataclass(frozen=True, slots=True)
class Pipes:
    """Where a process's output goes."""

    on_line: Callable[[bytes], None]
    on_stderr: Callable[[bytes], None]
    on_unusable: Callable[[str], None]
    """Called when nothing more can be read from it, with the reason."""
    on_exit: Callable[[int], None]
    """Called once with the exit status, after all output that was written before it."""


class ChildProcess:
    """A running child: write lines to it, be told of its lines and its end, stop it."""

    def __init__(self, spawned: Spawned, pipes: Pipes) -> None:
        self.pid = spawned.pid
        self.start = spawned.start
        self.started_at = psutil.Process(spawned.pid).create_time()
        self.spawned_at = time.monotonic()
        self.returncode: int | None = None
        self.way_out = spawned.way_out
        """None: the child reaches nothing through a proxy. To be served from spawn on."""
        self._spawned = spawned
        self._pipes = pipes
        self._loop = asyncio.get_running_loop()
        self.flow = OutputFlow()
        self._splitter = Splitter()
        self._unsent = bytearray()
        self._read_bytes = READ_BYTES
        self._lengthened = False
        """True once its output was given a longer pipe, if that could be had."""
        self._gone = asyncio.Event()
        self._stdin_fd = spawned.stdin
        self._stdout_fd = spawned.stdout
        self._stderr_fd = spawned.stderr
        self._watch()

    def write(self, line: bytes) -> None:
        """Send one framed line; kept in order and in full, or dropped when the child is gone.

        Raises:
            BrokenPipeError: the child has closed its input.
            BlockingIOError: the child has stopped reading its input.
        """
        if self._stdin_fd < 0:
            raise BrokenPipeError
        if not self._unsent:
            # What is sent in one turn of the loop goes out together: each write may have to wake
            # the child, which costs more than the rest of a small call.
            self._loop.call_soon(self._flush)
        elif len(self._unsent) + len(line) > MAX_UNSENT_BYTES:
            raise BlockingIOError
        self._unsent += line

    async def stop(self) -> bool:
        """End the process and its group: close the input, then TERM, then KILL.

        Returns True when it is gone, False when it outlived even KILL.
        """
        with anyio.CancelScope(shield=True):
            self.close_stdin()
            if not await self._gone_within(STDIN_GRACE_S):
                self._signal_group(signal.SIGTERM)
                if not await self._gone_within(TERM_GRACE_S):
                    self.kill()
                    await self._gone_within(KILL_GRACE_S)
        return self._gone.is_set()

    async def wait(self) -> int:
        """Return the exit status when the process is gone; negative numbers are signals."""
        await self._gone.wait()
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """Send KILL to the whole group now."""
        self._signal_group(signal.SIGKILL)

    def close_stdin(self) -> None:
        """Tell the child that no more input comes; unsent input is dropped."""
        if self._stdin_fd >= 0:
            self._loop.remove_writer(self._stdin_fd)
            os.close(self._stdin_fd)
            self._stdin_fd = -1
            self._unsent.clear()

    def _watch(self) -> None:
        for fd in (self._stdin_fd, self._stdout_fd, self._stderr_fd):
            os.set_blocking(fd, False)
        self._loop.add_reader(self._stdout_fd, self._read_stdout)
        self._loop.add_reader(self._stderr_fd, self._read_stderr)
        self._loop.add_reader(self._spawned.exit_fd, self._exited)

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._stdin_fd, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            self._loop.call_later(
                MUTE_GRACE_S, self._end_unless_gone, "it closed its standard input"
            )
            raise

    def _flush(self) -> None:
        if not self._unsent:
            return
        try:
            sent = self._send(self._unsent)
        except BrokenPipeError:
            self.close_stdin()
            return
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._stdin_fd, self._flush)
        else:
            self._loop.remove_writer(self._stdin_fd)

    def _read_stdout(self) -> bool:
        """Read once. True when there may be more to read now."""
        data = self._read(self._stdout_fd, self._read_bytes)
        if not data:
            if data == b"":
                self._close_stdout()
                self._loop.call_later(
                    MUTE_GRACE_S, self._end_unless_gone, "it closed its standard output"
                )
            return False
        full = len(data) >= READ_BYTES
        self._read_bytes = LONG_READ_BYTES if full else READ_BYTES
        if full and not self._lengthened:
            self._lengthen_pipe()
        now = self._loop.time()
        try:
            for line in self._splitter.feed(data):
                if too_much := self.flow.line(len(line), now):
                    return self._hear_no_more(self._close_stdout, too_much)
                self._pipes.on_line(line)
        except OversizedFrame as error:
            return self._hear_no_more(self._close_stdout, f"it printed {error}")
        return True

    def _lengthen_pipe(self) -> None:
        self._lengthened = True
        # A user may have only so many pages in pipes; with the pipe as it is all goes on.
        with suppress(OSError):
            fcntl.fcntl(self._stdout_fd, fcntl.F_SETPIPE_SZ, LONG_PIPE_BYTES)

    def _hear_no_more(self, close: Callable[[], None], reason: str) -> bool:
        close()
        self._pipes.on_unusable(reason)
        return False

    def _end_unless_gone(self, reason: str) -> None:
        """End a process that lives on without the pipe that every call needs."""
        if self.returncode is None:
            self._pipes.on_unusable(reason)

    def _read_stderr(self) -> bool:
        """Read once. True when there may be more to read now."""
        data = self._read(self._stderr_fd, READ_BYTES)
        if not data:
            if data == b"":
                self._close_stderr()
            return False
        self._pipes.on_stderr(data)
        if too_much := self.flow.stderr(len(data), self._loop.time()):
            return self._hear_no_more(self._close_stderr, too_much)
        return True

    def _read(self, fd: int, at_most: int) -> bytes | None:
        """Return bytes, b"" at the end, None when nothing is there now."""
        if fd < 0:
            return None
        try:
            return os.read(fd, at_most)
        except BlockingIOError:
            return None

    def _exited(self) -> None:
        # The group is signalled before its leader is reaped: until then its number
        # cannot belong to anybody else.
        self._loop.remove_reader(self._spawned.exit_fd)
        self._signal_group(signal.SIGKILL)
        self.returncode = self._spawned.reap()
        self._drain(self._read_stdout)
        self._drain(self._read_stderr)
        self.close_stdin()
        self._close_stdout()
        self._close_stderr()
        self._gone.set()
        self._pipes.on_exit(self.returncode)

    def _drain(self, read_once: Callable[[], bool]) -> None:
        for _ in range(DRAIN_READS):
            if not read_once():
                return

    def _signal_group(self, number: signal.Signals) -> None:
        if self.returncode is None:
            self._spawned.signal_group(number)

    def _close_stdout(self) -> None:
        if self._stdout_fd >= 0:
            self._loop.remove_reader(self._stdout_fd)
            os.close(self._stdout_fd)
            self._stdout_fd = -1

    def _close_stderr(self) -> None:
        if self._stderr_fd >= 0:
            self._loop.remove_reader(self._stderr_fd)
            os.close(self._stderr_fd)
            self._stderr_fd = -1

    async def _gone_within(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            await self._gone.wait()
        return self._gone.is_set()


def exit_in_words(returncode: int) -> str:
    """Return how a process ended, for a person.

    A status of 128 + n is a signal that a wrapper reported, by the convention of shells and
    of bubblewrap.
    """
    number = -returncode if returncode < 0 else returncode - 128
    if returncode < 0 or returncode > 128:
        with suppress(ValueError):
            sent = signal.Signals(number)
            meaning = MEANINGS.get(sent)
            return f"killed by {sent.name} ({meaning})" if meaning else f"killed by {sent.name}"
    return f"exit code {returncode}"
