"""Where a server's own code failed, read from the traceback on its standard error."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FRAME = re.compile(r'  File "(?P<path>[^"]+)", line (?P<line>\d+)')
MAX_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """The innermost line of the author's in the last traceback."""

    error: str
    """The traceback's last line, such as `KeyError: 'x'`."""
    file: str
    """Relative to the server's folder."""
    line: int
    source: str
    """That line as the interpreter showed it; '' when it did not."""


def read_fault(tail: Sequence[str], folder: Path) -> Fault | None:
    """Return where code in `folder` failed; None when no traceback says so."""
    frames = [
        (place, Path(match["path"]).relative_to(folder).as_posix(), int(match["line"]))
        for place, text in enumerate(tail)
        if (match := FRAME.match(text)) and Path(match["path"]).is_relative_to(folder)
    ]
    if not frames:
        return None
    place, name, line = frames[-1]
    after = tail[place + 1 :]
    error = next((text for text in after if text[:1].strip()), None)
    if error is None:
        return None
    source = after[0].strip() if after[0].startswith("    ") else ""
    return Fault(error[:MAX_SHOWN], name, line, source[:MAX_SHOWN])
