"""One process that waits to become a server, from spawn until it is taken or gone.

Above: `standbys`. Below: `spawned`, `sandboxes.warm.standby`.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import anyio

from sandboxes.launch import Blank, Launch, StartKind
from sandboxes.policy import Limits
from sandboxes.warm import standby
from sandboxes.warm.standby import DoesNotFit
from sandboxes.warm.waiting import READY
from supervisor.children.process import exit_in_words
from supervisor.children.spawned import ColdProcess

READ_BYTES = 65536
KEPT_BYTES = 1024
"""Of what its packages print when they are imported; it goes nowhere."""
END_WITHIN_S = 5.0


class Standby:
    """A waiting process; whoever takes it owns it."""

    generation = 0

    def __init__(
        self,
        server: str,
        blank: Blank,
        launch: Launch,
        holder: Path,
        *,
        rehearsal: bytes,
        wake: Callable[[], None],
    ) -> None:
        """Start it from the event loop's thread.

        Raises:
            OSError: its program cannot be executed.
        """
        self.server = server
        self.blank = blank
        self.holder = holder
        self.ready = False
        self.ended: str | None = None
        self._started_at = time.monotonic()
        self._wake = wake
        self._said = b""
        self._process = ColdProcess(launch)
        self._loop = asyncio.get_running_loop()
        for descriptor in (self._process.stdin, self._process.stdout, self._process.stderr):
            os.set_blocking(descriptor, False)
        self._loop.add_reader(self._process.stdout, self._read)
        self._loop.add_reader(self._process.stderr, self._drain)
        self._loop.add_reader(self._process.exit_fd, self._exited)
        self._write(standby.part(rehearsal))

    @property
    def age_s(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._started_at

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def limits(self) -> Limits:
        """What it is held to, as the server will be."""
        return self.blank.policy.limits

    def condemn(self, reason: str) -> bool:
        """Kill it now. Returns False when it is gone already."""
        if self.ended is not None:
            return False
        self.ended = reason
        self._process.signal_group(signal.SIGKILL)
        self._wake()
        return True

    async def take(self, code: Path, env: Mapping[str, str]) -> ColdProcess:
        """Let it become the server and return it.

        Raises:
            DoesNotFit: it cannot; it is to be ended.
        """
        await anyio.to_thread.run_sync(standby.copy_code, code, self.holder)
        text = standby.environment_part(env)
        if self.ended is not None:
            raise DoesNotFit(f"the process that waited for it ended: {self.ended}")
        self._write(text)
        self._forget()
        self._process.start = StartKind.WARM
        return self._process

    async def end(self) -> None:
        """End it; nothing is left of it."""
        self._loop.remove_reader(self._process.stdout)
        self._loop.remove_reader(self._process.stderr)
        self._loop.remove_reader(self._process.exit_fd)
        self._process.signal_group(signal.SIGKILL)
        with anyio.CancelScope(shield=True), anyio.move_on_after(END_WITHIN_S):
            await anyio.wait_readable(self._process.exit_fd)
        self._process.reap()
        for descriptor in (self._process.stdin, self._process.stdout, self._process.stderr):
            os.close(descriptor)
        if self._process.way_out is not None:
            self._process.way_out.ours.close()

    def _forget(self) -> None:
        for descriptor in (self._process.stdout, self._process.stderr, self._process.exit_fd):
            self._loop.remove_reader(descriptor)

    def _write(self, text: bytes) -> None:
        with suppress(BrokenPipeError):
            # It fits into the pipe, see MAX_PART_BYTES; one that is gone is noticed by its exit.
            os.write(self._process.stdin, text)

    def _read(self) -> None:
        self._said = (self._said + self._take_in(self._process.stdout))[-KEPT_BYTES:]
        if self._said.endswith(READY):
            self.ready = True
            # What it prints from now on is the server's.
            self._loop.remove_reader(self._process.stdout)
            self._wake()

    def _drain(self) -> None:
        self._take_in(self._process.stderr)

    def _take_in(self, descriptor: int) -> bytes:
        with suppress(BlockingIOError):
            if data := os.read(descriptor, READ_BYTES):
                return data
            self._loop.remove_reader(descriptor)
        return b""

    def _exited(self) -> None:
        self._loop.remove_reader(self._process.exit_fd)
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        self.ended = self.ended or exit_in_words(code)
        self._wake()
