"""From how a call or a request ended to the outcome that the audit log has for it. Pure."""

from http import HTTPStatus

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


def outcome_of_status(status: int) -> Outcome:
    """Return the outcome of a request that was answered with this HTTP status."""
    if status < HTTPStatus.BAD_REQUEST:
        return Outcome.OK
    return Outcome.REFUSED if status < HTTPStatus.INTERNAL_SERVER_ERROR else Outcome.FAILED
