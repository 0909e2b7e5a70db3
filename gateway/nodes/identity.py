"""Which home a gateway has: a text that is made once and stays in it.

The lock of the home sees to it that one process at a time has it, so that whoever comes with the
same identity is the same node, started again.
"""

import os
from pathlib import Path

from gateway.domain.ids import new_id

FILE_NAME = "node-id"


def read_identity(home: Path) -> str:
    """Return the identity of a home, which is made if there is none. Raises OSError."""
    path = home / FILE_NAME
    try:
        if found := path.read_text("utf-8").strip():
            return found
    except FileNotFoundError:
        pass
    made = new_id("node")
    partial = path.with_name(f"{FILE_NAME}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(made)
    partial.replace(path)
    return made
