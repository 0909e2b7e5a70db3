"""Empties a home of what a gateway makes there, and of nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path

from gateway.backup.errors import BackupError
from gateway.settings import Settings
from sandboxes.limits import tree

UNPACKING = ".restoring"
RESTORED_SETTINGS = "settings-of-the-backup.env"
KEPT = frozenset({"gateway.lock", "lost+found", UNPACKING})
"""What stays in a home that is emptied; a home may be the root of a volume."""
MADE = re.compile(
    r"added|claude_playground|environments|grants|run_files|runs|servers|waiting|pids\.json(\.new)?"
    r"|jobs\.db(-(wal|shm|journal)|\.before-\d+(\.partial)?)?"
    r"|\.?(gateway\.json|oauth-client\.env)(\.\d+)?|" + re.escape(RESTORED_SETTINGS)
)
"""Names that a gateway gives, with those of files that it had not finished."""
WORK = ".backup-"
"""Begins the names of folders in which a back-up to download is written."""
UNFINISHED = re.compile(re.escape(WORK) + r"[a-z0-9_]{8}")
SHOWN = 3


def content(settings: Settings) -> list[Path]:
    """Return what is in the home and would be lost."""
    return sorted(part for part in settings.home.iterdir() if part.name not in _kept(settings))


def check_made(settings: Settings) -> None:
    """Raise BackupError when something in the home is none of a gateway's."""
    foreign = [part for part in content(settings) if not _is_made(part.name)]
    if foreign:
        named = ", ".join(repr(part.name[:60]) for part in foreign[:SHOWN])
        more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
        raise BackupError(
            f"The home {settings.home} holds what no gateway made ({named}{more}) and no back-up "
            "would hold; move it elsewhere, or set CLAUDE_RUNNER_HOME to another folder."
        )


def empty_home(settings: Settings) -> None:
    """Remove what a gateway made. Raises BackupError, having removed nothing, as `check_made`."""
    check_made(settings)
    for part in content(settings):
        tree.remove(part)


def remove_unfinished(home: Path) -> None:
    """Remove back-ups whose writing was interrupted; whoever asks holds the lock of the home.

    Raises:
        OSError: one cannot be removed.
    """
    for part in sorted(home.iterdir()):
        if UNFINISHED.fullmatch(part.name):
            tree.remove(part)


def _is_made(name: str) -> bool:
    return bool(MADE.fullmatch(name) or UNFINISHED.fullmatch(name))


def _kept(settings: Settings) -> frozenset[str]:
    return KEPT.union(_servers_within(settings))


def _servers_within(settings: Settings) -> Iterator[str]:
    """Yield the names in the home that lead to the folders of servers, which have their own end."""
    for folder in (settings.fixed_servers_dir, settings.dynamic_servers_dir):
        if folder.is_relative_to(settings.home):
            yield from folder.relative_to(settings.home).parts[:1]
