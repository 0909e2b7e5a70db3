"""What every surface says as long as servers are confined less than by default. Pure."""

from sandboxes.policy import Level

_NOTICES = {
    Level.OFF: "SANDBOX=off: servers and runs are not confined and can do whatever the gateway's "
    "user can; set SANDBOX=strong and start again.",
    Level.REDUCED: "SANDBOX=reduced: servers have no namespaces of their own, and docs/sandbox.md "
    "says what that leaves open; SANDBOX=strong is the default.",
}


def sandbox_notice(level: Level) -> str | None:
    """Return one sentence about a level that is not the default; None at level strong."""
    return _NOTICES.get(level)
