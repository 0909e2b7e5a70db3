"""What a child with granted hosts is held to, and what it is told. Standard library only."""

from dataclasses import dataclass

from sandboxes import handover
from sandboxes.hosts import HostRule

PORT = 3128
"""Of the proxy, on the loopback interface of the child's own network."""
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

    rules: tuple[HostRule, ...]
    private: bool = False
    """True: granted names may lead to private addresses."""
