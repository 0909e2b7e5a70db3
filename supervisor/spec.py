"""The immutable description from which a server's children are started."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sandboxes.packages.recipe import Recipe
from sandboxes.policy import Limits, Network
from supervisor.system_packages import SystemPackage


class ServerKind(StrEnum):
    """Where a server comes from."""

    FIXED = "fixed"
    """Shipped, read-only."""
    DYNAMIC = "dynamic"
    """Written at run time."""


class Instances(StrEnum):
    """How many children serve a server."""

    SHARED = "shared"
    PER_SESSION = "per_session"


class StartTime(StrEnum):
    """When a server that is switched on gets its child."""

    EAGER = "eager"
    """With the supervisor."""
    LAZY = "lazy"
    """With its first call, once its tools are known."""


class ReloadStrategy(StrEnum):
    """How new code replaces old."""

    SIDE_BY_SIDE = "side_by_side"
    """The new child becomes ready before the old one is drained."""
    STOP_FIRST = "stop_first"
    """For servers that hold a port, a lock or a profile."""


class Era(StrEnum):
    """The two families of MCP revisions; a child speaks one of them for its whole life."""

    HANDSHAKE = "handshake"
    """Up to 2025-11-25: `initialize`."""
    MODERN = "modern"
    """2026-07-28: stateless."""


@dataclass(frozen=True, slots=True)
class DeclaredCredential:
    """A secret the server asks for by name."""

    key: str
    required: bool = True
    description: str = ""


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """Everything needed to start a server, except its secrets. Equal specs start equal children."""

    name: str
    kind: ServerKind
    code_dir: Path
    digest: str
    """SHA-256 of every file in `code_dir`; changes when code or metadata change."""
    description: str = ""
    command: tuple[str, ...] | None = None
    """None: `server.py` in `code_dir`, run by Python."""
    environment: tuple[tuple[str, str], ...] = ()
    """Plain variables from the metadata; never secrets."""
    credentials: tuple[DeclaredCredential, ...] = ()
    network: Network = field(default_factory=Network)
    limits: Limits = field(default_factory=Limits)
    start_timeout_s: float = 30.0
    call_timeout_s: float = 300.0
    instances: Instances = Instances.SHARED
    max_instances: int = 8
    """Of sessions and callers, where each has its own."""
    start: StartTime = StartTime.EAGER
    idle_stop_s: float | None = None
    """A child that nobody called for this long is stopped until the next call; None: never."""
    reload: ReloadStrategy = ReloadStrategy.SIDE_BY_SIDE
    era: Era | None = None
    """None: handshake where the server speaks it, else modern."""
    read_only: tuple[Path, ...] = ()
    read_write: tuple[Path, ...] = ()
    unix_sockets: bool = False
    dynamic_tools: bool = False
    """Its list may grow by itself; a tool that is there keeps its definition all the same."""
    notify: bool = False
    """It may send messages to the owner."""
    system_packages: tuple[SystemPackage, ...] = ()
    """Of the machine's distribution; it does not start without them."""
    recipe: Recipe | None = None
    """The environment of its own that it declares; None: it runs in the shipped one."""
