"""What can go wrong with jobs and runs. The message is one sentence for a person."""

from gateway.domain.units import shown


class JobError(Exception):
    """Base of this package's errors."""


class InvalidCron(JobError):
    """A cron expression or time zone cannot be used."""


class JobRefused(JobError):
    """A job cannot be as it is asked for."""

    def __init__(self, argument: str, sentence: str) -> None:
        super().__init__(sentence)
        self.argument = argument
        """What it is about, by its name as an argument of the tools."""


class NoSuchJob(JobError):
    """No job has this identifier."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {shown(job_id)}; list_jobs shows the ids.")
        self.job_id = job_id


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
