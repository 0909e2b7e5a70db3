"""What the shell and the web tools of a run may reach, besides the model and its servers."""

from dataclasses import dataclass
from enum import StrEnum


class NetworkAccess(StrEnum):
    """How far a run's own network leads."""

    PUBLIC = "public"
    """Every public host, on the ports of http and https."""
    NONE = "none"
    HOSTS = "hosts"
    """Named hosts only."""


@dataclass(frozen=True, slots=True)
class RunNetwork:
    """The network of a run; `hosts` count only with access HOSTS."""

    access: NetworkAccess = NetworkAccess.PUBLIC
    hosts: tuple[str, ...] = ()
    """As `sandboxes.network.hosts.parse_rule` reads them."""


PUBLIC = RunNetwork()
NONE = RunNetwork(NetworkAccess.NONE)
