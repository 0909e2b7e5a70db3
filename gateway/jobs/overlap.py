"""What becomes of due instants while earlier runs of the job have not ended. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.job import Overlap
from gateway.domain.run import Run, RunStatus
from gateway.domain.units import counted

MAX_WAITING = 100
"""Runs of one job that may wait under overlap `allow`; a slow job would else fill the queue."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the instants that are to fire."""

    queue: tuple[int, ...] = ()
    skip: tuple[int, ...] = ()
    reason: str = ""
    """One sentence for the skipped ones."""
    cancel: tuple[str, ...] = ()
    """Runs that are to end for the queued ones."""


def judge(overlap: Overlap, unfinished: Sequence[Run], instants: tuple[int, ...]) -> Verdict:
    """Return what becomes of `instants`; those that are made up for together do not overlap.

    `unfinished`: the job's runs from before that are queued or claimed, oldest first.
    """
    if not unfinished:
        return Verdict(queue=instants)
    waiting = [run for run in unfinished if run.status is RunStatus.QUEUED]
    match overlap:
        case Overlap.SKIP:
            reason = f"Run {unfinished[0].id} of this job had not ended."
            return Verdict(skip=instants, reason=reason)
        case Overlap.QUEUE_ONE:
            return _only_one(waiting, instants)
        case Overlap.ALLOW:
            free = max(0, MAX_WAITING - len(waiting))
            reason = f"{counted(len(waiting), 'run')} of this job waited already."
            return Verdict(queue=instants[:free], skip=instants[free:], reason=reason)
        case Overlap.CANCEL_RUNNING:
            return Verdict(queue=instants, cancel=tuple(run.id for run in unfinished))


def _only_one(waiting: Sequence[Run], instants: tuple[int, ...]) -> Verdict:
    if waiting:
        reason = f"Run {waiting[0].id} of this job was waiting already."
        return Verdict(skip=instants, reason=reason)
    return Verdict(
        queue=instants[-1:], skip=instants[:-1], reason="Only the newest instant waits for a run."
    )
