"""Whether a warm process can be made here, found out by making one. Above: `doctor`."""

import select
import time

from sandboxes.errors import SandboxError
from sandboxes.warm.parent import Failed, WarmConfig, WarmProcess, WarmReady

WITHIN_S = 60.0
"""It imports what servers import, which takes seconds on a busy machine."""


def problem(config: WarmConfig) -> str | None:
    """Return why starts cannot be warm, in words; None when they can. Blocks for seconds."""
    try:
        process = WarmProcess(config, _forget)
    except (SandboxError, OSError) as error:
        return str(error).rstrip(".")
    try:
        return _wait(process)
    finally:
        process.close()


def _wait(process: WarmProcess) -> str | None:
    deadline = time.monotonic() + WITHIN_S
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([process.fileno()], [], [], left)[0]:
            break
        match process.hear():
            case WarmReady():
                return None
            case Failed(reason):
                return reason
            case _:
                pass
    return f"it was not ready within {WITHIN_S:g} s"


def _forget() -> None:
    """It has no children here."""
