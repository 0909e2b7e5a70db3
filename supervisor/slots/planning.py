"""Plans the next start of a server whose child died: `restart` with a clock and a memory."""

import random
import time
from dataclasses import dataclass

from supervisor.events import ServerState
from supervisor.slots.restart import DeathRecord, Life, RestartPolicy, after_death


@dataclass(frozen=True, slots=True)
class Planned:
    """The state that a death leads to."""

    state: ServerState
    reason: str
    delay_s: float
    """Until the next start."""


class RestartPlan:
    """Remembers the deaths of one server's children."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._deaths = DeathRecord()

    def forget(self) -> None:
        """Begin with a clean record: new code, or somebody's wish."""
        self._deaths = DeathRecord()

    def after(self, reason: str, life: Life) -> Planned:
        """Return what follows the end of a life."""
        verdict = after_death(
            self._policy,
            self._deaths,
            now=time.monotonic(),
            life=life,
            luck=random.uniform(-1, 1),  # noqa: S311 - spreads restarts, guards nothing
        )
        self._deaths = verdict.record
        if verdict.quarantined:
            text = f"{reason}; it died {len(verdict.record.recent)} times in a short while"
            return Planned(ServerState.QUARANTINED, text, verdict.delay_s)
        if verdict.delay_s == 0:
            return Planned(ServerState.STARTING, f"restarting at once after: {reason}", 0.0)
        text = f"{reason}; next start in {verdict.delay_s:.1f} s"
        return Planned(ServerState.BACKOFF, text, verdict.delay_s)
