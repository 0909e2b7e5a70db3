"""Why a child cannot be started as asked. Every message is one sentence for a person."""

from pathlib import Path

from sandboxes.policy import Level


class SandboxError(Exception):
    """Base of this package's errors."""


class LevelUnavailable(SandboxError):
    """The asked level cannot be had here; nothing was started."""

    def __init__(self, level: Level, reason: str) -> None:
        super().__init__(f"Sandbox level {level.value!r} is not available: {reason}.")
        self.level = level
        self.reason = reason


class NetworkUnavailable(SandboxError):
    """The asked kind of network access cannot be given."""


class InvalidHost(SandboxError):
    """A text that names no host which a server may be granted or ask for."""


class CommandNotFound(SandboxError):
    """The program to start is not there."""

    def __init__(self, program: str) -> None:
        super().__init__(
            f"The program {program!r} was not found; install it or give its full path."
        )
        self.program = program


class RefusedName(SandboxError):
    """An environment variable that would change more than the server it is meant for."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"The variable name {key[:80]!r} is refused: {reason}.")
        self.key = key
        self.reason = reason


class ForeignOwner(SandboxError):
    """A server's folder holds what another user owns, so it is not handed over."""

    def __init__(self, path: Path, owner: int, wanted: int) -> None:
        super().__init__(
            f"{path} belongs to uid {owner}, not to uid {wanted} of its server; "
            f"move it away or change its owner."
        )
        self.path = path
        self.owner = owner
        self.wanted = wanted
