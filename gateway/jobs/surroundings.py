"""What a CLI that waits depends on around it: the day, a repository, the machine's memory."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import psutil

from sandboxes.policy import MIB

FREE_BYTES = 1024 * MIB
"""An idle CLI takes 200 MiB; with less than this it would be in the way."""


def today() -> date:
    """Return the date of this machine, which the CLI tells the model as it was at its start."""
    return datetime.now(UTC).astimezone().date()


def is_versioned(work: Path) -> bool:
    """Tell whether the CLI finds a Git repository, of which it notes the state at its start.

    So it may where we cannot look: a run may close its work folder.
    """
    return any(_may_be_there(folder / ".git") for folder in (work, *work.parents))


def _may_be_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def has_room() -> bool:
    """Tell whether the machine has memory to spare."""
    return psutil.virtual_memory().available >= FREE_BYTES


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How the day and the machine's memory are looked at."""

    today: Callable[[], date] = today
    has_room: Callable[[], bool] = has_room


MACHINE = Surroundings()
