"""What one child may use: the frozen description from which every way of starting it is built."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

MIB = 1024 * 1024


class Level(StrEnum):
    """How tightly a child is confined."""

    STRONG = "strong"
    """Own namespaces and mount tree, limits, no privileges, Landlock, seccomp."""
    REDUCED = "reduced"
    """No namespaces: limits, no privileges, Landlock, seccomp."""
    OFF = "off"
    """Own session and a clean environment only."""


class NetworkMode(StrEnum):
    """What a child may reach."""

    NONE = "none"
    HOSTS = "hosts"
    """Named hosts, through a proxy of ours; level strong alone can hold a child to it."""
    FULL = "full"
    """The machine's own network."""


@dataclass(frozen=True, slots=True)
class Network:
    """Network access of a child; `hosts` and `private_addresses` count only in mode HOSTS."""

    mode: NetworkMode = NetworkMode.NONE
    hosts: tuple[str, ...] = ()
    """As `hosts.parse_rule` reads them, or `hosts.EVERY`."""
    private_addresses: bool = False
    """True: the hosts may have addresses of private networks."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings for one child. Sizes in bytes."""

    memory_bytes: int = 512 * MIB
    address_space_bytes: int | None = 2048 * MIB
    """None for programs that reserve far more than they use (Node, Chromium)."""
    processes: int = 128
    cpu: float | None = None
    """Processors, such as 1.5; None: no ceiling, only a smaller share than the gateway's."""
    open_files: int = 256
    file_size_bytes: int = 256 * MIB
    data_dir_bytes: int = 512 * MIB
    data_dir_files: int = 100_000
    shared_memory_bytes: int = 16 * MIB
    """Size of /dev/shm, where level strong gives one."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A folder that a child sees at a path of its own mount tree; nothing may lie there."""

    source: Path
    at: Path


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a child was given. Paths are absolute."""

    level: Level
    data_dir: Path
    read_only: tuple[Path, ...] = ()
    """Code folder, interpreter, virtual environment and granted paths."""
    read_write: tuple[Path, ...] = ()
    """Granted paths beside data_dir."""
    shown: tuple[Shown, ...] = ()
    """Folders to read at another path; level strong alone can give them."""
    network: Network = field(default_factory=Network)
    limits: Limits = field(default_factory=Limits)
    listeners: tuple[int, ...] = ()
    """Loopback ports of the child's own network that its launcher opens and hands to whoever
    started it (level strong; not for a child with the machine's network)."""
    closed_ports: tuple[int, ...] = ()
    """TCP ports that stay out of reach of a child with the machine's own network."""
    unix_sockets: bool = False
    """Whether Unix stream sockets may be opened; level strong alone has none of others in sight."""
    uid: int | None = None
    """User and group the child becomes when the gateway runs as root; without meaning otherwise."""
