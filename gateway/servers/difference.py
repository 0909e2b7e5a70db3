"""What differs between two versions of a server, as `diff -u` shows it. Pure functions."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from gateway.servers.content import KeptFile

CONTEXT_LINES = 3
MAX_PAIRS = 2_000_000
"""Of equal lines, one of each side: with more, the search for what stayed takes seconds."""


def difference(before: Iterable[KeptFile], after: Iterable[KeptFile], *, names: str) -> str:
    """Return the unified difference of all files; '' when there is none.

    `names` labels the two sides, such as "version 3|version 4".
    """
    old, new = _by_path(before), _by_path(after)
    first, _, second = names.partition("|")
    parts: list[str] = []
    for path in sorted(old.keys() | new.keys()):
        left, right = old.get(path), new.get(path)
        if left == right:
            continue
        sides = (
            f"{first}/{path}" if left else "/dev/null",
            f"{second}/{path}" if right else "/dev/null",
        )
        parts.extend(_of_file(left, right, sides))
    return "".join(parts)


def _by_path(files: Iterable[KeptFile]) -> Mapping[str, KeptFile]:
    return {file.path: file for file in files}


def _of_file(
    left: KeptFile | None, right: KeptFile | None, sides: tuple[str, str]
) -> Iterator[str]:
    if left and right and left.executable != right.executable:
        yield f"mode of {right.path}: {_mode(left)} -> {_mode(right)}\n"
    old, new = _lines(left), _lines(right)
    if old is None or new is None:
        yield f"Binary files {sides[0]} and {sides[1]} differ\n"
        return
    for line in _compared(old, new, sides):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _compared(old: list[str], new: list[str], sides: tuple[str, str]) -> Iterator[str]:
    """Yield the difference; where it would take too long to find what stayed, nothing stayed."""
    counts = Counter(new)
    if sum(counts[line] for line in old) <= MAX_PAIRS:
        yield from difflib.unified_diff(old, new, *sides, n=CONTEXT_LINES)
        return
    yield from (f"--- {sides[0]}\n", f"+++ {sides[1]}\n")
    yield f"@@ -1,{len(old)} +1,{len(new)} @@\n"
    yield from (f"-{line}" for line in old)
    yield from (f"+{line}" for line in new)


def _mode(file: KeptFile) -> str:
    return "executable" if file.executable else "plain"


def _lines(file: KeptFile | None) -> list[str] | None:
    """Return a file's lines, none for one that is not there, None for one that is no text.

    Python reads code in other encodings than UTF-8 too: bytes that are none are shown as escapes.
    """
    if file is None:
        return []
    if b"\0" in file.content:
        return None
    return file.content.decode("utf-8", "backslashreplace").splitlines(keepends=True)
