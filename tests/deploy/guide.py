"""A newcomer who types the commands of a guide, in their order, and nothing else."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.deploy.machine import Machine


def commands(guide: Path) -> list[str]:
    """Return the blocks for the shell."""
    text = guide.read_text("utf-8")
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def follow(machine: Machine, guide: Path, replaced: Mapping[str, str]) -> list[str]:
    """Type every block and return what each printed; each replacement must have been needed."""
    typed = commands(guide)
    for old, new in replaced.items():
        assert any(old in block for block in typed), f"{old!r} is not in {guide.name}"
        typed = [block.replace(old, new) for block in typed]
    return [machine.run("sh", "-euc", block) for block in typed]
