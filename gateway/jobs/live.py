"""A claimed run that this process executes, and how it is stopped at any moment."""

from typing import TYPE_CHECKING

import anyio

from gateway.domain.run import RunResult
from gateway.jobs.outcome import Ended, Stop
from gateway.jobs.queue import Claimed

if TYPE_CHECKING:
    # Only for its name: the Agent SDK takes a second to import and a run is far away.
    from gateway.jobs.attempt import Attempt


class LiveRun:
    """From the claim to the stored end."""

    def __init__(self, claimed: Claimed, work: str) -> None:
        self.claimed = claimed
        self.work = work
        """Name of the work folder that it uses."""
        self.ended = anyio.Event()
        self.over = False
        """Its attempt is over; it may yet begin again."""
        self.preparation = anyio.CancelScope()
        """Cancelled by a stop that comes before there is an attempt."""
        self._attempt: Attempt | None = None
        self._stop: Stop | None = None

    def begin(self, attempt: "Attempt") -> None:
        """The attempt exists now and ends itself when it is asked to."""
        self._attempt = attempt

    def stop(self, stop: Stop) -> bool:
        """End the run; the first reason given counts. False: how it ended is being stored."""
        if self.over:
            return False
        self._stop = self._stop or stop
        if self._attempt:
            self._attempt.stop(stop)
        else:
            self.preparation.cancel()
        return True

    async def cut(self, stop: Stop) -> None:
        """The same, and end its processes at once instead of asking them first."""
        if self.stop(stop) and self._attempt:
            await self._attempt.cut()

    def stopped_early(self) -> Ended:
        """Return the end of a run that was stopped before its attempt."""
        assert self._stop is not None
        return Ended(RunResult(self._stop.status, error=self._stop.reason))
