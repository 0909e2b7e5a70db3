"""What may differ between a server and the same server behind the relay, as a file lists it."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.conformance.official import Check, Results

LISTED = Path(__file__).parent / "expected_differences.toml"


class Reason(Enum):
    """Why a result differs."""

    FORBIDDEN = "forbidden"
    """The specification forbids to bridge it."""
    CHOICE = "choice"
    """The specification leaves it to the server, and the relay chooses otherwise."""
    STRICTER = "stricter"
    """The relay meets a requirement that the server's library does not."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """The era of a child, and the revision whose requirements a caller holds it to."""

    child: str
    caller: str

    def __str__(self) -> str:
        """Return its name."""
        return f"{self.child} child, {self.caller} caller"

    @property
    def server(self) -> str:
        """The name of its server."""
        return f"{self.child}-{self.caller}"

    @property
    def shared(self) -> bool:
        """Whether caller and child speak the same era."""
        return (self.child == "modern") == (self.caller == "2026-07-28")


@dataclass(frozen=True, slots=True)
class Difference:
    """The statuses of one check, directly and behind the relay."""

    direct: tuple[str, ...]
    relayed: tuple[str, ...]


Differences = Mapping[Check, Difference]


def compare(direct: Results, relayed: Results) -> Differences:
    """Return the checks whose results are not the same."""
    return {
        check: Difference(direct.get(check, ()), relayed.get(check, ()))
        for check in sorted({*direct, *relayed})
        if direct.get(check, ()) != relayed.get(check, ())
    }


def listed() -> Iterable[tuple[Cell, Reason, Differences]]:
    """Yield each entry of the file; it has a sentence of the specification, and its place."""
    for entry in tomllib.loads(LISTED.read_text("utf-8"))["difference"]:
        reason = Reason(entry["reason"])
        assert entry["sentence"]
        assert entry["source"]
        found = {
            (scenario, check): Difference(tuple(pair[0]), tuple(pair[1]))
            for scenario, checks in entry["scenarios"].items()
            for check, pair in checks.items()
        }
        for cell in entry["cells"]:
            yield Cell(*cell), reason, found


def expected(cell: Cell) -> Differences:
    """Return all that the file lists for one cell."""
    parts = [found for each, _, found in listed() if each == cell]
    return {check: difference for part in parts for check, difference in part.items()}


def scenarios_of(found: Differences, wanted: Differences) -> set[str]:
    """Return the scenarios with a check in which two sets of differences differ."""
    checks = {*found, *wanted}
    return {check[0] for check in checks if found.get(check) != wanted.get(check)}
