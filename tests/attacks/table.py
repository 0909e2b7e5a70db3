"""The table of attacks in docs/sandbox.md: a full run writes it, a test holds the names to it."""

from collections.abc import Mapping
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"
BEGIN = "<!-- written by `./claude-runner test --full`: attacks -->\n"
END = "<!-- end of attacks -->\n"
WAYS = ("strong", "strong, warm", "reduced")
COLUMNS = (*WAYS, *(f"{name}, plain user" for name in WAYS))
HEAD = (
    f"| Attack | {' | '.join(f'`{name}`' for name in COLUMNS)} |\n"
    f"{'| --- ' * (len(COLUMNS) + 1)}|\n"
)

Outcomes = Mapping[str, tuple[str, str]]


class Table:
    """Collects what each attack met at each level."""

    def __init__(self) -> None:
        self._columns: dict[str, dict[str, str]] = {name: {} for name in COLUMNS}

    def record(self, way: str, outcomes: Outcomes) -> None:
        """Take a run of a gateway that is root."""
        self._columns[way] |= _cells(outcomes)

    def record_user(self, way: str, outcomes: Outcomes) -> None:
        """Take a run of a gateway that is a plain user."""
        self._columns[f"{way}, plain user"] |= _cells(outcomes)

    def write(self) -> None:
        """Put the table into the document; columns that did not run are empty."""
        names = sorted({name for column in self._columns.values() for name in column})
        if not names:
            return
        lines = [HEAD]
        for name in names:
            cells = [column.get(name, "") for column in self._columns.values()]
            lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |\n")
        text = DOCUMENT.read_text("utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        DOCUMENT.write_text(before + BEGIN + "".join(lines) + END + after, encoding="utf-8")


def attacks_in_document() -> list[str]:
    """Return the names that the document tells of."""
    _, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    lines = rest.partition(END)[0].splitlines()[2:]
    return [line.split("|")[1].strip().replace(" ", "_") for line in lines]


def _cells(outcomes: Outcomes) -> dict[str, str]:
    return {name: f"{verdict} ({_short(what)})" for name, (verdict, what) in outcomes.items()}


def _short(text: str) -> str:
    return text.replace("|", "/")[:70]
