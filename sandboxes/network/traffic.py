"""What went through the proxies of one server or run, and what they refused."""

from dataclasses import dataclass, field

REMEMBERED = 20
"""Refused hosts that are kept: the last ones, each once."""


@dataclass(slots=True)
class Traffic:
    """Counted since the server or the run began."""

    tunnels: int = 0
    refused: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    _hosts: dict[str, None] = field(default_factory=dict[str, None])

    @property
    def refused_hosts(self) -> tuple[str, ...]:
        """What was refused, oldest first: `name:port`, or quoted text where there is no name."""
        return tuple(self._hosts)

    def remember(self, host: str) -> bool:
        """Keep a refused host; return True unless it was among those kept already."""
        known = host in self._hosts
        self._hosts.pop(host, None)
        self._hosts[host] = None
        if len(self._hosts) > REMEMBERED:
            del self._hosts[next(iter(self._hosts))]
        return not known
