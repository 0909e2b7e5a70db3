"""What can go wrong with jobs and runs. The message is one sentence for a person."""


class JobError(Exception):
    """Base of this package's errors."""


class InvalidCron(JobError):
    """A cron expression or time zone cannot be used."""


class RunNotFound(JobError):
    """No run has this identifier."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no run {run_id!r}.")
        self.run_id = run_id


class RunFinished(JobError):
    """The run has ended and cannot be killed."""

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(f"Run {run_id!r} has already ended as {status}.")
        self.run_id = run_id
        self.status = status


class RunRefused(JobError):
    """A run cannot start: a setting, a server or a tool is missing."""


class TooManyReaders(JobError):
    """No more streams of runs are given out."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} streams of runs are open already; close some and try again.")
