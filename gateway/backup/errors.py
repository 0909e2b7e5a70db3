"""Why an archive cannot be made or used: one sentence each."""

from pathlib import Path


class BackupError(Exception):
    """Something about an archive; nothing was changed."""


class ArchiveDamaged(BackupError):
    """The archive is not what was written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The archive {path} is damaged or none of ours: {reason}.")


class ArchiveTooNew(BackupError):
    """A newer program made it."""

    def __init__(self, path: Path, version: str) -> None:
        super().__init__(
            f"The archive {path} was made by Claude Runner {version}, which is newer; upgrade "
            "this one first."
        )
