"""What the doctor says of each step: what was seen, what is wrong with it, what to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Grade(StrEnum):
    """How good a step is."""

    OK = "ok"
    WARNING = "warning"
    """Works, or works for some."""
    PROBLEM = "problem"
    """claude.ai fails here."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way."""

    name: str
    grade: Grade
    seen: str
    wrong: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All steps of one walk to `base`."""

    base: str
    steps: tuple[Step, ...]

    @property
    def good(self) -> bool:
        """True when no step is a problem."""
        return all(step.grade is not Grade.PROBLEM for step in self.steps)


def fine(name: str, seen: str) -> Step:
    """Return a step that is as it should be."""
    return Step(name, Grade.OK, seen)


def warning(name: str, seen: str, wrong: str, advice: str) -> Step:
    """Return a step that is not as good as it could be."""
    return Step(name, Grade.WARNING, seen, wrong, advice)


def problem(name: str, seen: str, wrong: str, advice: str) -> Step:
    """Return a step at which claude.ai fails."""
    return Step(name, Grade.PROBLEM, seen, wrong, advice)


def as_json(report: Report) -> dict[str, Any]:
    """Return a report for programs."""
    steps = [
        {
            "step": step.name,
            "grade": step.grade.value,
            "seen": step.seen,
            "wrong": step.wrong,
            "advice": step.advice,
        }
        for step in report.steps
    ]
    return {"base": report.base, "good": report.good, "steps": steps}
