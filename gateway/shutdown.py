"""How the gateway ends: TERM or INT once for an orderly end, twice for an immediate one."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager

log = logging.getLogger(__name__)

DRAIN_S = 10.0
"""Calls and runs that are going on get this long."""
DEADLINE_S = 19.0
"""Whatever hangs by then is left: children die with us by their parent-death signal."""
LATE_EXIT_STATUS = 70


class Shutdown:
    """Set by the first signal; the second ends the process at once."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()

    @property
    def requested(self) -> bool:
        """True once the gateway is to end."""
        return self._requested.is_set()

    async def wait(self) -> None:
        """Return when the gateway is to end."""
        await self._requested.wait()

    def request(self) -> None:
        """Ask for an orderly end, which may take until the deadline."""
        if not self._requested.is_set():
            self._requested.set()
            asyncio.get_running_loop().call_later(DEADLINE_S, _leave_late)

    @contextmanager
    def on_signals(self) -> Generator[None]:
        """React to TERM and INT within the body."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, self._signalled, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _signalled(self, number: signal.Signals) -> None:
        if self.requested:
            _leave(128 + number)
        self.request()


def _leave_late() -> None:
    log.error(
        "The gateway has not ended within %g s: its process ends at once, with status %d, and does "
        "not begin anew where a restart was asked for",
        DEADLINE_S,
        LATE_EXIT_STATUS,
    )
    _leave(LATE_EXIT_STATUS)


def _leave(status: int) -> None:
    sys.stderr.flush()
    os._exit(status)
