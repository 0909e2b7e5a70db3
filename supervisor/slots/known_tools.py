"""The tools of a server's last good child, kept in its folder for the time when none runs."""

import logging
from pathlib import Path
from typing import Any

import msgspec

from supervisor.children.lists import Tool

log = logging.getLogger(__name__)

FILE = "tools.json"


class _Kept(msgspec.Struct):
    digest: str
    tools: list[dict[str, Any]]


_READER = msgspec.json.Decoder(_Kept)


class KnownTools:
    """Reads and writes what one server listed. Blocking, for some kilobytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: tuple[str, tuple[Tool, ...]] | None = None

    def of(self, digest: str) -> tuple[Tool, ...] | None:
        """Return the tools of the code with this digest; None when they are not known."""
        try:
            kept = _READER.decode(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s cannot be read, the server is asked instead: %s", self._path, error)
            return None
        return tuple(kept.tools) if kept.digest == digest else None

    def note(self, digest: str, tools: tuple[Tool, ...]) -> None:
        """Keep what a child listed that became ready."""
        if self._written == (digest, tools):
            return
        beside = self._path.with_name(FILE + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(msgspec.json.encode(_Kept(digest, [dict(tool) for tool in tools])))
            beside.replace(self._path)
        except OSError as error:
            log.warning("The tools are not kept for the next start: %s", error)
        else:
            self._written = (digest, tools)
