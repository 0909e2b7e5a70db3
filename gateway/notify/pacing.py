"""How often and how long a notice is tried. Pure; instants are integer milliseconds UTC."""

MINUTE_MS = 60_000
PAUSES_MS = tuple(minutes * MINUTE_MS for minutes in (1, 3, 10, 30, 60, 180, 360))
"""Between attempts; together half a day, so that a night's outage loses nothing."""
TOO_OLD_MS = 24 * 60 * MINUTE_MS
"""A notice that waited behind others for longer is news to nobody."""
WINDOW_MS = 60 * MINUTE_MS
MOST = 5
"""Notices of one occasion in a window; more are told together at its end."""


def again_at(attempts: int, notice_at: int, now: int) -> int | None:
    """Return when a notice is tried again after so many attempts; None: it is given up."""
    if attempts > len(PAUSES_MS) or now - notice_at > TOO_OLD_MS:
        return None
    return now + PAUSES_MS[attempts - 1]
