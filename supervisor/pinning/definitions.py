"""A tool's definition as it is compared: the whole object that a child sent, in canonical JSON."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from supervisor.children.wire import decode, encode, with_member

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_canonical = msgspec.json.Encoder(order="deterministic")


class _Page(msgspec.Struct):
    tools: list[msgspec.Raw]


class _Named(msgspec.Struct):
    name: str


_page = msgspec.json.Decoder(_Page)
_named = msgspec.json.Decoder(_Named)


@dataclass(frozen=True)
class Definition:
    """One tool as a child describes it."""

    name: str
    text: bytes
    """Canonical JSON; a list of objects where a child describes one name more than once."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text).hexdigest()


@dataclass(frozen=True, slots=True)
class ListPage:
    """One answer to `tools/list`."""

    result: msgspec.Raw
    entries: tuple[tuple[str, msgspec.Raw], ...]

    def definitions(self) -> tuple[Definition, ...]:
        """Return what is described, by name."""
        texts: dict[str, list[bytes]] = {}
        for name, entry in self.entries:
            texts.setdefault(name, []).append(_text(entry))
        return tuple(
            Definition(name, found[0] if len(found) == 1 else b"[%s]" % b",".join(found))
            for name, found in texts.items()
        )

    def without(self, names: Collection[str]) -> msgspec.Raw:
        """Return the answer without some tools; all else is byte for byte what it was."""
        kept = [entry for name, entry in self.entries if name not in names]
        return msgspec.Raw(with_member(self.result, "tools", kept))


def digest_of(tool: Mapping[str, object]) -> str:
    """Return the digest of a definition that was decoded, the same as that of its `Definition`."""
    try:
        text = _canonical.encode(tool)
    except (OverflowError, RecursionError, UnicodeEncodeError):
        # Beyond what our codec writes; a definition never comes back from here.
        text = json.dumps(tool, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()


def read_page(result: msgspec.Raw) -> ListPage | None:
    """Return an answer to `tools/list`, or None when it is no list of named tools."""
    try:
        entries = _page.decode(result).tools
        return ListPage(result, tuple((_named.decode(entry).name, entry) for entry in entries))
    except _UNREADABLE:
        return None


def _text(entry: msgspec.Raw) -> bytes:
    try:
        return _canonical.encode(decode(entry))
    except (*_UNREADABLE, OverflowError, ValueError):
        # Numbers beyond what our codec writes: as it was sent is as good as in our order.
        return encode(entry)
