"""What a slot's state is, from which state it may come, and who waits for it to change."""

import asyncio
from collections.abc import Callable, Mapping

from supervisor.events import ServerState

S = ServerState

TRANSITIONS: Mapping[ServerState, frozenset[ServerState]] = {
    S.STOPPED: frozenset({S.STARTING, S.DISABLED, S.FAILED}),
    S.STARTING: frozenset(
        {S.READY, S.STOPPED, S.BACKOFF, S.QUARANTINED, S.FAILED, S.STOPPING, S.DISABLED}
    ),
    S.READY: frozenset({S.STARTING, S.STOPPING, S.FAILED}),
    S.BACKOFF: frozenset({S.STARTING, S.DISABLED, S.FAILED}),
    S.QUARANTINED: frozenset({S.STARTING, S.DISABLED, S.FAILED}),
    S.STOPPING: frozenset({S.STOPPED, S.DISABLED, S.FAILED}),
    S.FAILED: frozenset({S.STARTING, S.DISABLED}),
    S.DISABLED: frozenset({S.STARTING, S.FAILED}),
}
"""To which states each state may lead. Every state may fail: that is where a fault of ours ends."""


class ImpossibleTransition(RuntimeError):
    """The supervisor contradicts itself: a fault of ours, never of a server."""

    def __init__(self, server: str, before: ServerState, after: ServerState) -> None:
        super().__init__(f"Server {server!r} cannot go from {before} to {after}.")
        self.before = before
        self.after = after


class Standing:
    """A slot's state and the reason for it. Only the slot changes it; anybody may wait."""

    def __init__(
        self,
        server: str,
        state: ServerState,
        reason: str,
        *,
        on_change: Callable[[ServerState, ServerState, str], None],
    ) -> None:
        """`on_change` is told the state before, the state after, and why."""
        self._server = server
        self._state = state
        self._reason = reason
        self._on_change = on_change
        self._changed = asyncio.Event()

    @property
    def state(self) -> ServerState:
        """The state now."""
        return self._state

    @property
    def reason(self) -> str:
        """Why it is in this state; empty when ready."""
        return self._reason

    def to(self, state: ServerState, reason: str) -> None:
        """Enter a state; the same one again is a new reason for it.

        Raises:
            ImpossibleTransition: the table does not lead there.
        """
        before = self._state
        if state is not before and state not in TRANSITIONS[before]:
            raise ImpossibleTransition(self._server, before, state)
        self._state, self._reason = state, reason
        if before is not state:
            self._on_change(before, state, reason)
        self.wake()

    def explain(self, reason: str) -> None:
        """Give another reason for the present state; nobody is woken."""
        self._reason = reason

    def wake(self) -> None:
        """Let those that wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Return at the next change."""
        await self._changed.wait()
