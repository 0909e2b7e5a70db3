"""What the doctor says of each thing that it looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARNING = "WARNING"
    """As asked for, and worth saying every time."""
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    grade: Grade
    text: str


def fine(subject: str, text: str) -> Finding:
    """Return a finding that is as it should be."""
    return Finding(subject, Grade.OK, text)


def problem(subject: str, text: str) -> Finding:
    """Return a finding that something must be done about."""
    return Finding(subject, Grade.PROBLEM, text)


def check(subject: str, good: bool, text: str) -> Finding:  # noqa: FBT001 - a value, not a switch
    """Return one or the other."""
    return fine(subject, text) if good else problem(subject, text)
