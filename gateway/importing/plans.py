"""What would become of an entry of another client: a server that is disabled, or a sentence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.server_names import RESERVED

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class CannotImport(Exception):
    """An entry, or a file, that cannot become a server; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Program:
    """What an entry starts, whatever client wrote it."""

    name: str
    """As the client has it."""
    command: str
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Of `env`; nobody can tell which of them is secret."""
    plain: Mapping[str, str] = field(default_factory=dict[str, str])
    """Those that are known not to be."""
    wanted: Mapping[str, str] = field(default_factory=dict[str, str])
    """Secrets without a value, and what they are for."""
    optional: frozenset[str] = frozenset()
    """Of `wanted`, those without which it starts."""
    description: str = ""
    notes: tuple[str, ...] = ()
    readable: tuple[str, ...] | None = None
    """Of `arguments`, those whose paths it may read, which the owner wrote; None: all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A server that an import would make."""

    name: str
    origin: str
    """The entry's own name."""
    files: Mapping[str, str]
    """Of its folder, by name; no secret is in any."""
    command: tuple[str, ...]
    packages: tuple[str, ...]
    network: str | list[str]
    read_only: tuple[str, ...]
    """What it may read besides its own folder."""
    credentials: tuple[str, ...]
    notes: tuple[str, ...]
    values: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Secrets that are to be sealed; in no file and no output."""
    plain: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables that are no secrets; in metadata.json as they are."""
    kept: tuple[str, ...] = ()
    """Of `credentials`, those that a former server of this name left, and this one gets."""

    def view(self) -> dict[str, Any]:
        """Return what people and programs are shown."""
        return {
            "name": self.name,
            "origin": self.origin,
            "command": list(self.command),
            "packages": list(self.packages),
            "network": self.network,
            "read_only": list(self.read_only),
            "variables": dict(self.plain),
            "credentials": list(self.credentials),
            "set": sorted({*self.values, *self.kept}),
            "notes": list(self.notes),
        }


def server_name(text: str) -> str:
    """Return a name for a server that is as near as possible. Raises CannotImport."""
    # The registry's names look like io.github.somebody/weather.
    last = text.rstrip("/").rpartition("/")[2].lower()
    name = re.sub(r"[^a-z0-9]+", "-", last).strip("-")
    name = re.sub(r"^[0-9-]+", "", name)[:40].rstrip("-")
    if not NAME.fullmatch(name):
        raise CannotImport(f"{text[:60]!r} gives no name for a server; rename it in its file.")
    return f"{name}-server"[:40] if name in RESERVED else name
