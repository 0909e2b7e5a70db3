"""What differs between two versions of a server, as `diff -u` shows it. Pure functions."""

import difflib
import hashlib
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


def nothing_hidden(text: str) -> str:
    """Return a text in which nothing hides from its reader, such as a change of direction."""
    return "".join(
        char
        if char in "\n\t" or char.isprintable()
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _by_path(files: Iterable[KeptFile]) -> Mapping[str, KeptFile]:
    return {file.path: file for file in files}


def _of_file(
    left: KeptFile | None, right: KeptFile | None, sides: tuple[str, str]
) -> Iterator[str]:
    if left and right and left.executable != right.executable:
        yield f"mode of {right.path}: {_mode(left)} -> {_mode(right)}\n"
    before, after = (b"" if file is None else file.content for file in (left, right))
    if b"\0" in before or b"\0" in after:
        digests = (hashlib.sha256(content).hexdigest() for content in (before, after))
        yield f"Binary files {sides[0]} and {sides[1]} differ; SHA-256 {' and '.join(digests)}\n"
        return
    try:
        lines = _lines(before, "utf-8"), _lines(after, "utf-8")
    except UnicodeDecodeError:
        # Python reads code in other encodings too. There each byte stands for itself, so that
        # nothing that differs looks the same.
        lines = _lines(before, "latin-1"), _lines(after, "latin-1")
    for line in _compared(*lines, sides):
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


def _lines(content: bytes, encoding: str) -> list[str]:
    return content.decode(encoding).splitlines(keepends=True)
