"""Why the relay refuses a request: a JSON-RPC error and the HTTP status that goes with it.

Source: JSON-RPC 2.0 section 5.1; MCP 2026-07-28, basic/transports and its error codes.
"""

from dataclasses import dataclass

import msgspec

from supervisor.children.wire import encode
from supervisor.errors import ChildDied, ServerUnavailable, SupervisorError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVER_ERROR = -32000
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

SHOWN_LINES = 10
"""Of standard error, in the answer of a call that failed; the crash report has more."""

_BAD_REQUEST = frozenset(
    {
        PARSE_ERROR,
        INVALID_REQUEST,
        INVALID_PARAMS,
        HEADER_MISMATCH,
        MISSING_CAPABILITY,
        UNSUPPORTED_VERSION,
    }
)


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """An answer that is an error; `status` counts where the era or the transport asks for one."""

    code: int
    message: str
    status: int = 400
    data: object = None
    id: bytes | None = None
    """Of the request that is refused, as JSON, where it is known."""


def modern_status(code: int) -> int:
    """Return the HTTP status that the modern era gives an error code."""
    if code == METHOD_NOT_FOUND:
        return 404
    return 400 if code in _BAD_REQUEST else 200


def from_supervisor(error: SupervisorError) -> Refusal:
    """Return what a caller is told when its server could not answer."""
    facts: dict[str, object] = {}
    if isinstance(error, ServerUnavailable):
        facts = {"server": error.server, "state": error.state, "reason": error.reason}
        if error.retry_after_s is not None:
            facts["retryAfterS"] = round(error.retry_after_s, 1)
    elif isinstance(error, ChildDied):
        facts = {
            "server": error.server,
            "reason": error.reason,
            "stderrTail": list(error.stderr_tail[-SHOWN_LINES:]),
        }
        if error.crash is not None:
            facts |= {"generation": error.crash.generation, "more": "get_crash_report"}
    return Refusal(SERVER_ERROR, str(error), 200, facts or None)


def error_object(code: int, message: str, data: object = None) -> msgspec.Raw:
    """Return a JSON-RPC error object."""
    body: dict[str, object] = {"code": code, "message": message}
    return msgspec.Raw(encode(body if data is None else {**body, "data": data}))
