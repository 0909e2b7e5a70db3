"""What a child with a way out is held to, and what it is told. Standard library only."""

import socket
from dataclasses import dataclass

from sandboxes.network import handover
from sandboxes.network.hosts import HTTPS_PORT, HostRule, Target

PORT = 3128
"""Of the proxy, on the loopback interface of the child's own network."""
WEB_PORTS = frozenset({80, HTTPS_PORT})
_URL = f"http://{handover.LOOPBACK}:{PORT}"
ENVIRONMENT = {
    "HTTPS_PROXY": _URL,
    "https_proxy": _URL,
    # Plain http is refused, but by a sentence of ours instead of a failing lookup.
    "HTTP_PROXY": _URL,
    "http_proxy": _URL,
    "NODE_USE_ENV_PROXY": "1",
}


@dataclass(frozen=True, slots=True)
class Egress:
    """What a child may reach."""

    rules: tuple[HostRule, ...] = ()
    private: bool = False
    """True: granted names may lead to private addresses."""
    public: bool = False
    """True: every name is granted, on the ports of the web."""
    listed: tuple[Target, ...] = ()
    """Hosts that the owner named, wherever they are: also addresses, and in plain http."""
    holder: str = "server"
    """What the child is called when it is told of a refusal."""

    def grants(self, target: Target) -> bool:
        """Return whether the child may ask for this host and port."""
        if self.public and target.port in WEB_PORTS:
            return True
        return any(rule.allows(target) for rule in self.rules)


@dataclass(frozen=True, slots=True)
class WayOut:
    """A child that was just started: what it may reach, and where its listener will come."""

    egress: Egress
    ours: socket.socket
    """Closed by `egress.serve_handed_over`."""
