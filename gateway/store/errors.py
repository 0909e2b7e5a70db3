"""What can go wrong in the store. The message is one sentence for a person."""

from pathlib import Path


class StoreError(Exception):
    """Base of this package's errors."""


class UnsupportedDatabase(StoreError):
    """DATABASE_URL names a database that this program cannot use."""

    def __init__(self, scheme: str) -> None:
        super().__init__(
            f"DATABASE_URL starts with {scheme!r}; leave it empty for SQLite "
            "or use postgresql://user:password@host/database."
        )
        self.scheme = scheme


class StoreUnavailable(StoreError):
    """The database does not answer."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"The database {place} cannot be used: {reason}.")
        self.place = place
        self.reason = reason


class SchemaTooNew(StoreError):
    """A newer release has migrated this database."""

    def __init__(self, place: str, found: str, known: str) -> None:
        super().__init__(
            f"The database {place} has schema {found} and this release knows only up to {known}; "
            "start the newer release or restore the copy made before its migration."
        )
        self.place = place
        self.found = found
        self.known = known


class MigrationFailed(StoreError):
    """The schema could not be brought up to date; nothing was changed."""

    def __init__(self, place: str, reason: str, copy: Path | None) -> None:
        kept = f"; a copy is in {copy}" if copy else ""
        super().__init__(
            f"The database {place} could not be migrated and is as it was: {reason}{kept}."
        )
        self.place = place
        self.copy = copy


class UnknownJob(StoreError):
    """A run names a job that does not exist, or no longer."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id!r}.")
        self.job_id = job_id


class VersionTaken(StoreError):
    """Two gateways wrote a version of one server at the same time; this one's is not stored."""

    def __init__(self, server: str) -> None:
        super().__init__(
            f"Another node has just written a version of server {server!r}; try again."
        )
        self.server = server


class SettingRefused(StoreError):
    """A settings row may not have this value, or does not exist."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"Setting {key!r} {reason}.")
        self.key = key
        self.reason = reason
