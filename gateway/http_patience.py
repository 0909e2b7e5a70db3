"""How long the HTTP servers wait for what a connection may still bring; in seconds."""

KEEP_ALIVE_S = 15
"""For the next request of a connection: longer than clients keep one, which is about 5 s, or theirs
meets its end."""
FIRST_REQUEST_S = 1.0
"""At the end, for a caller that was let in and has not been heard yet."""
NEXT_REQUEST_S = 0.2
"""At the end, for one that was answered just before and may be sending again by now."""
CLOSE_GRACE_S = 2
"""At the end, for everything: calls have been drained before."""
CANCEL_S = 1.0
"""At the end, for what is cancelled after that; it has nobody left to write to."""
