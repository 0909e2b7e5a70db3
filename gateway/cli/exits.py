"""How commands end: a status that scripts can rely on, and one sentence on standard error."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit statuses of every command."""

    OK = 0
    FAILED = 1
    """The gateway, or the tool that was called, said no."""
    WRONG_USE = 2
    """Wrong arguments or settings, or a home that another gateway holds."""
    NO_GATEWAY = 3
    """The command acts through a running gateway, and none holds this home."""
    TIMED_OUT = 4
    """The run that the command follows was ended at its time limit."""
    BUDGET = 5
    """It was ended at its limit of money or turns."""
    CANCELLED = 6
    """It was killed."""
    NOT_RUN = 7
    """It expired or was skipped, or the end of the gateway interrupted it."""
    NOT_WELL = 8
    """`status --check` found a server that is not well."""
    INTERRUPTED = 130


class Failure(Exception):
    """Ends a command with a status and one sentence."""

    def __init__(self, status: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


START_COMMAND = "./claude-runner serve"


def no_gateway(home: object) -> Failure:
    """Return the failure of a command that needs a gateway."""
    return Failure(
        Exit.NO_GATEWAY, f"No gateway runs with the home {home}; start one with: {START_COMMAND}"
    )
