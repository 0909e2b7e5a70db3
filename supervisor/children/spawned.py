"""A process just started: what the supervisor needs of it, however it came to be.

Above: `process`. Below: `sandboxes.launch`, and `sandboxes.warm.parent` for forks.
"""

import os
import signal
import socket
import subprocess
import threading
from contextlib import ExitStack, suppress
from typing import Protocol

from sandboxes.launch import Launch, StartKind
from sandboxes.network.way_out import WayOut


class Spawned(Protocol):
    """A running process, the leader of its group; whoever takes it closes its three pipes."""

    @property
    def pid(self) -> int: ...
    @property
    def start(self) -> StartKind: ...
    @property
    def stdin(self) -> int: ...
    @property
    def stdout(self) -> int: ...
    @property
    def stderr(self) -> int: ...

    @property
    def way_out(self) -> WayOut | None: ...

    @property
    def exit_fd(self) -> int:
        """A descriptor that is readable once the process is gone; `reap` closes it."""
        ...

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to its whole group; nothing happens when that is gone."""
        ...

    def reap(self) -> int:
        """Return the exit status, once it is gone; negative numbers are signals."""
        ...


class ColdProcess:
    """A program started by `Popen`."""

    start: StartKind = StartKind.COLD
    """WARM once it has become a server after it had waited for that."""

    def __init__(self, launch: Launch) -> None:
        """Start it in a session and group of its own, from the event loop's thread.

        A parent-death signal is tied to the thread that starts the process.

        Raises:
            OSError: the program does not exist or cannot be executed.
        """
        with ExitStack() as theirs, ExitStack() as ours:
            child_in, self.stdin = _pipe(theirs, ours)
            self.stdout, child_out = _pipe(ours, theirs)
            self.stderr, child_err = _pipe(ours, theirs)
            argv, pass_fds = launch.argv, launch.pass_fds
            self.way_out: WayOut | None = None
            if launch.egress is not None:
                mine, its = socket.socketpair()
                ours.enter_context(mine)
                theirs.enter_context(its)
                argv, pass_fds = launch.handing_over(its.fileno()), (*pass_fds, its.fileno())
                self.way_out = WayOut(launch.egress, mine)
            self._popen = subprocess.Popen(
                argv,
                env=dict(launch.env),
                cwd=launch.cwd,
                pass_fds=pass_fds,
                stdin=child_in,
                stdout=child_out,
                stderr=child_err,
                start_new_session=True,
            )
            ours.pop_all()
        self.pid = self._popen.pid
        self.exit_fd = _exit_of(self._popen)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def reap(self) -> int:
        """Return the exit status."""
        os.close(self.exit_fd)
        return self._popen.wait()


def _exit_of(process: "subprocess.Popen[bytes]") -> int:
    """Return a descriptor that is readable once the process is gone."""
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(process.pid)
    # Only Linux has that: elsewhere a thread waits, and its end of a pipe closes.
    reading, writing = os.pipe()

    def wait() -> None:
        process.wait()
        os.close(writing)

    threading.Thread(target=wait, name=f"end of {process.pid}", daemon=True).start()
    return reading


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """Return both ends of a pipe, each to be closed by its own stack."""
    ends = os.pipe()
    reader.callback(os.close, ends[0])
    writer.callback(os.close, ends[1])
    return ends
