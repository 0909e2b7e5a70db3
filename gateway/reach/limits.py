"""How often a token, and an address, may call; and how often an address may show wrong tokens."""

import math
import time
from collections.abc import Callable

from gateway.auth.caller import Caller, CallerKind
from gateway.reach.address import counted_block
from gateway.reach.buckets import Buckets
from gateway.relay.http import Scope
from gateway.settings import Settings

BURST_S = 10
"""So many seconds' worth of calls may come at once: clients begin with a dozen."""
FAILURES = 20
"""Wrong tokens from one address at once: a client whose token ended repeats itself."""
FAILURE_EVERY_S = 3.0


class CallerLimits:
    """Counts calls; 0 a second means: as many as they like."""

    def __init__(
        self,
        *,
        token_per_s: int,
        address_per_s: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = _buckets(token_per_s, monotonic)
        self._addresses = _buckets(address_per_s, monotonic)
        self._failures = Buckets(burst=FAILURES, every_s=FAILURE_EVERY_S, monotonic=monotonic)

    def take(self, caller: Caller, scope: Scope) -> float:
        """Count a call; return 0.0, or the seconds after which the caller may call again."""
        if self._addresses is not None:
            block = counted_block(scope)
            if block is not None and (wait_s := self._addresses.take(block)):
                return wait_s
        if self._tokens is None or caller.kind is CallerKind.LOCAL:
            return 0.0
        return self._tokens.take(caller.id)

    def note_failure(self, scope: Scope) -> None:
        """Count a token that is nobody's."""
        block = counted_block(scope)
        if block is not None:
            self._failures.take(block)

    def failed_wait_s(self, scope: Scope) -> float:
        """Return the seconds for which an address that failed too often is not heard; else 0.0."""
        if not self._failures:
            return 0.0
        block = counted_block(scope)
        return 0.0 if block is None else self._failures.wait_s(block)


def open_limits(settings: Settings) -> CallerLimits:
    """Return the limits of the settings."""
    return CallerLimits(
        token_per_s=settings.token_calls_per_s, address_per_s=settings.address_calls_per_s
    )


def retry_after(wait_s: float) -> bytes:
    """Return a wait as Retry-After has it: whole seconds, not too few."""
    return b"%d" % math.ceil(wait_s)


def _buckets(per_s: int, monotonic: Callable[[], float]) -> Buckets | None:
    if not per_s:
        return None
    return Buckets(burst=per_s * BURST_S, every_s=1 / per_s, monotonic=monotonic)
