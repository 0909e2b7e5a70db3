"""The fenced blocks of the README and of everything below docs/."""

import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,})(?P<language>.*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences."""

    document: str
    """Its path in the checkout."""
    number: int
    """Of its first line in the document."""
    language: str
    text: str

    @property
    def key(self) -> str:
        """Document and first line: what the tables of the test name it by."""
        return f"{self.document}: {self.text.strip().partition(chr(10))[0]}"


def all_blocks() -> list[Block]:
    """Return the blocks of all documents in their order."""
    documents = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
    return [block for each in documents for block in blocks_of(each)]


def blocks_of(document: Path) -> list[Block]:
    """Return the blocks of a document; one that is not closed goes on to its end."""
    found: list[Block] = []
    opened: re.Match[str] | None = None
    name, lines, start = str(document.relative_to(CHECKOUT)), list[str](), 0
    for number, line in enumerate([*document.read_text("utf-8").splitlines(), ""], 1):
        fence = FENCE.match(line)
        if opened is None:
            opened, lines, start = fence, [], number + 1
        elif fence is not None and fence["marks"].startswith(opened["marks"]):
            text = "".join(f"{each.removeprefix(opened['indent'])}\n" for each in lines)
            found.append(Block(name, start, opened["language"].strip(), text))
            opened = None
        else:
            lines.append(line)
    assert opened is None, f"{document} has a fence at line {start - 1} that is not closed"
    return found
