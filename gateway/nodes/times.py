"""How long nodes wait for one another.

A node that cannot renew its row for `lease` ends the processes of its runs. Nobody else takes those
runs over before that is done: for `lease`, the time that the ending takes, and a margin. So a run
is never executed twice at a time, whatever is cut off from whatever.
"""

from gateway.jobs.process import KILL_S, TERMINATE_S

BEAT_S = 2.0
"""A node renews its row, and looks for what others left, so often."""
LEASE_S = 6.0
"""Two beats may be lost. With the rest below a run is taken over within 15 s: 12 and one beat."""
ALONE_LEASE_S = 60.0
"""While no other node lives there is nobody to wait, and a restart of the database ends no run."""
ENDING_S = TERMINATE_S + KILL_S
"""What the processes of a run have at most, between the first signal and the last look."""
MARGIN_S = 1.0
"""For the way of a beat to the database, which counts the lease from when it wrote."""
FORGET_S = 24 * 3600.0
"""A node that has been lost for so long is not shown any more."""
FORGET_EVERY_S = 3600.0
LEAVE_S = 5.0
"""For the goodbye; without it others wait for the lease."""
CLOCK_OFF_MS = 2_000
"""A clock that is further off the database's than a beat takes is worth a warning."""


def untouched_ms(lease_s: float) -> int:
    """Return how long others leave alone what a node with this lease has."""
    return round((lease_s + ENDING_S + MARGIN_S) * 1000)


def lease_s(untouched_ms: int) -> float:
    """Return for how long a node may go on without renewing its row."""
    return untouched_ms / 1000 - ENDING_S - MARGIN_S
