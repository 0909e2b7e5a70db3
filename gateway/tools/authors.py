"""Who a change is written down for: the caller of the tool that made it."""

from fastmcp.server.dependencies import get_http_request

from gateway.auth.caller import CALLER, Caller, CallerKind

OWNER = "owner"
"""The command line of this machine, and whoever started a gateway that speaks over a pipe."""


def author() -> str:
    """Return 'owner', 'token <id>' or 'run <id>'."""
    try:
        caller = get_http_request().scope.get(CALLER)
    except RuntimeError:
        return OWNER
    if not isinstance(caller, Caller) or caller.kind is CallerKind.LOCAL:
        return OWNER
    return f"{caller.kind} {caller.id}"
