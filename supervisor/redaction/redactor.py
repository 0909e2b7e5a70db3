"""Knows the secrets of this moment, and hides them."""

import re
import threading
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from supervisor.redaction.key_formats import KEY_BYTES, hide_keys, unfinished_key
from supervisor.redaction.spellings import LINE_ENDS, PIECE, spellings

_LINE_END = re.compile(b"[\r\n]")
_START = 3
"""Bytes; less than this at the end of a line is not taken for the beginning of a spelling."""


class Redactor:
    """Hides known values and key formats. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: Counter[tuple[str, str]] = Counter()
        self._search: _Search | None = None

    def know(self, label: str, value: str) -> None:
        """Hide `value` from now on as `[label hidden]`; once more for each `forget` to come."""
        with self._lock:
            self._known[label, value] += 1
            self._search = None

    def forget(self, label: str, value: str) -> None:
        """Hold a value no longer that was made known."""
        with self._lock:
            self._known[label, value] -= 1
            self._known += Counter()
            self._search = None

    def know_all(self, values: Mapping[str, str]) -> None:
        """Hide every value under its label."""
        for label, value in values.items():
            self.know(label, value)

    def forget_all(self, values: Mapping[str, str]) -> None:
        """Hold none of these any longer."""
        for label, value in values.items():
            self.forget(label, value)

    def hide(self, data: bytes) -> bytes:
        """Return `data` without secrets, also where line ends stand inside of one."""
        return hide_keys(self._current().hide(data))

    def hide_text(self, text: str) -> str:
        """Return `text` without secrets."""
        data = text.encode("utf-8", "surrogatepass")
        hidden = self.hide(data)
        return text if hidden is data else hidden.decode("utf-8", "surrogatepass")

    def hide_tree(self, value: Any) -> Any:
        """Return a value of JSON without secrets in its strings, names of members included."""
        match value:
            case str():
                return self.hide_text(value)
            case dict():
                members = cast("dict[Any, Any]", value).items()
                return {self.hide_tree(key): self.hide_tree(item) for key, item in members}
            case list() | tuple():
                return [self.hide_tree(item) for item in cast("Sequence[Any]", value)]
            case _:
                return value

    def hide_lines(self, data: bytes, longest: int) -> tuple[bytes, bytes]:
        """Return the whole lines of `data` without secrets, and what waits for what comes next.

        What may be the beginning of a secret waits, and a line that is not at its end; of one that
        is longer than `longest` only the last bytes.
        """
        search = self._current()
        known = search.hide(data)
        begun = max(search.unfinished(known), unfinished_key(known))
        done = known.rfind(b"\n", 0, len(known) - begun) + 1
        if len(known) - done > longest:
            done = len(known) - max(begun, PIECE)
        return hide_keys(known[:done]), known[done:]

    def shown_now(self, data: bytes) -> bytes:
        """Return what may be shown of `data` while the rest of it is on its way."""
        search = self._current()
        known = search.hide(data)
        return hide_keys(known[: len(known) - search.unfinished(known)])

    def hide_settled(self, text: str) -> str:
        """Return the beginning of a growing text, without secrets, that no more text can change.

        What may be the beginning of a secret is left out, and a last word that is not at its end.
        """
        data = text.encode("utf-8", "surrogatepass")
        search = self._current()
        spans = search.spans(data)
        end = len(data) - max(search.unfinished(data), unfinished_key(data))
        settled = -1
        while end != settled:
            settled = end
            end = len(data[:end].rstrip(KEY_BYTES))
            end = next((first for first, last in spans if first < end < last), end)
        return hide_keys(search.hide(data[:end])).decode("utf-8", "surrogatepass")

    def _current(self) -> "_Search":
        search = self._search
        if search is None:
            with self._lock:
                search = self._search = _Search(self._known)
        return search


class _Search:
    """Looks for all spellings of some values at once, in time in proportion to the text."""

    def __init__(self, known: Mapping[tuple[str, str], int]) -> None:
        labels: dict[bytes, str] = {}
        for label, value in known:
            for spelling in spellings(value):
                labels.setdefault(spelling, label)
        self._spellings = sorted(labels)
        self._labels = [f"[{labels[each]} hidden]".encode() for each in self._spellings]
        self._starts = frozenset(each[:_START] for each in self._spellings)
        self._finder = _finder(self._spellings) if labels else None

    def hide(self, data: bytes) -> bytes:
        """Return `data` itself when nothing is in it."""
        if self._finder is None:
            return data
        text = data.translate(None, LINE_ENDS)
        found = self._finder.find_matches_as_indexes(text, overlapping=True)
        if not found:
            return data
        parts: list[bytes] = []
        place, done = _Places(data), 0
        for start, end, which in _joined(found):
            parts += (data[done : place.of(start)], self._labels[which])
            done = place.of(end - 1) + 1
        parts.append(data[done:])
        return b"".join(parts)

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return from where to where in `data` something is hidden."""
        if self._finder is None:
            return []
        text, place = data.translate(None, LINE_ENDS), _Places(data)
        found = self._finder.find_matches_as_indexes(text, overlapping=True)
        return [(place.of(first), place.of(last - 1) + 1) for first, last, _ in _joined(found)]

    def unfinished(self, data: bytes) -> int:
        """Return how many bytes at the end are the beginning of a spelling."""
        if self._finder is None or not data:
            return 0
        # With room for line ends: a value wrapped after every few characters is hostile anyway.
        near = data[-2 * PIECE :]
        text = near.translate(None, LINE_ENDS)
        for start in range(max(0, len(text) - PIECE + 1), len(text) - _START + 1):
            begun = text[start:]
            if begun[:_START] not in self._starts:
                continue
            at = bisect_left(self._spellings, begun)
            if at < len(self._spellings) and self._spellings[at].startswith(begun):
                return len(near) - _Places(near).of(start)
        return 0


class _Places:
    """Finds the place in some data of a place in the same data without line ends."""

    def __init__(self, data: bytes) -> None:
        ends = (match.start() for match in _LINE_END.finditer(data))
        self._left_out = [place - number for number, place in enumerate(ends)]

    def of(self, place: int) -> int:
        """Return where the byte stands that is at `place` without line ends."""
        return place + bisect_right(self._left_out, place)


def _finder(words: Sequence[bytes]) -> BytesAhoCorasick:
    return BytesAhoCorasick(words, matchkind=MatchKind.Standard)


def _joined(found: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return (start, end, first spelling) of the stretches that matches cover without a gap.

    Pieces of several spellings may overlap; of those that begin together the longest is named.
    """
    joined: list[tuple[int, int, int]] = []
    for which, start, end in sorted(found, key=lambda match: (match[1], -match[2])):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]), joined[-1][2])
        else:
            joined.append((start, end, which))
    return joined
