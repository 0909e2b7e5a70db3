"""From how a call ended to the outcome that the audit log has for it. Pure."""

from gateway.domain.audit import Outcome
from supervisor.errors import (
    CallTimedOut,
    ChildDied,
    NotTaken,
    RequestRefused,
    ServerUnavailable,
    SupervisorError,
)


def outcome_of(error: Exception) -> Outcome:
    """Return the outcome of a call that ended with an error of ours."""
    match error:
        case ServerUnavailable() | NotTaken():
            return Outcome.REFUSED
        case ChildDied():
            return Outcome.DIED
        case CallTimedOut():
            return Outcome.TIMED_OUT
        case RequestRefused():
            return Outcome.ERROR
        case SupervisorError():
            return Outcome.REFUSED
        case _:
            return Outcome.FAILED
