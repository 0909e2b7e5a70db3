"""How much a handshake child logs: as much as the most curious of its callers wants to read.

The level is the child's, not a caller's; the relay leaves out for each caller what is below its
own. A modern child is told with each call.
Source: MCP 2025-11-25, server/utilities/logging; RFC 5424, section 6.2.1.
"""

from supervisor.children.child import Child
from supervisor.children.wire import encode
from supervisor.errors import ChildDied
from supervisor.slots.orders import observed
from supervisor.spec import Era

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""From the most verbose on."""


def at_least(level: object, wanted: str) -> bool:
    """Return whether a message of this level is for who wants this one and above."""
    return level in LEVELS and LEVELS.index(str(level)) >= LEVELS.index(wanted)


class Levels:
    """Who wants which level of one child's; it is left alone while nobody wants any."""

    def __init__(self) -> None:
        self._wanted: dict[object, str] = {}
        self._child: Child | None = None
        self._set: str | None = None

    def want(self, who: object, level: str) -> None:
        """Have the child log at least this much, until `who` wants another level or drops it."""
        self._wanted[who] = level
        self._apply()

    def drop(self, who: object) -> None:
        """Forget what somebody wanted."""
        if self._wanted.pop(who, None) is not None:
            self._apply()

    def adopt(self, child: Child) -> None:
        """Set the level of a child that takes calls from now on."""
        self._child, self._set = child, None
        self._apply()

    def _apply(self) -> None:
        level = min(self._wanted.values(), key=LEVELS.index, default=None)
        child = self._child
        if level is None or level == self._set or child is None or not child.alive:
            return
        if child.handshake.era is Era.HANDSHAKE and "logging" in child.handshake.capabilities:
            self._set = level
            try:
                call = child.call("logging/setLevel", encode({"level": level}))
            except ChildDied:
                # Its successor is told anew.
                return
            call.future.add_done_callback(observed)
