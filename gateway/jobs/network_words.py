"""The `network` of jobs and webhooks: what callers give, what is stored, what is shown."""

from collections.abc import Sequence

from gateway.domain.network import NONE, PUBLIC, NetworkAccess, RunNetwork
from gateway.jobs.errors import JobError
from sandboxes.errors import InvalidHost
from sandboxes.network.hosts import parse_rules

_WORDS = {NetworkAccess.PUBLIC.value: PUBLIC, NetworkAccess.NONE.value: NONE}
_ACCEPTED = "it accepts 'public', 'none' or a list of hosts such as ['api.example.com']"
_WEB_TOOL = "WebFetch"


class InvalidNetwork(JobError):
    """A network that no run can be given."""


def read_network(given: str | Sequence[str]) -> RunNetwork:
    """Return the network that a caller asks for. Raises InvalidNetwork."""
    if isinstance(given, str):
        if given not in _WORDS:
            raise InvalidNetwork(f"The network {given[:60]!r} is unknown; {_ACCEPTED}.")
        return _WORDS[given]
    if not given:
        return NONE
    hosts = tuple(given)
    try:
        parse_rules(hosts)
    except InvalidHost as error:
        raise InvalidNetwork(f"The network is wrong: {error}") from error
    return RunNetwork(NetworkAccess.HOSTS, hosts)


def network_for(tools: Sequence[str]) -> RunNetwork:
    """Return the network of a webhook whose author did not name one."""
    return PUBLIC if _WEB_TOOL in tools else NONE


def show_network(network: RunNetwork) -> str | list[str]:
    """Return the network as callers give it."""
    hosts = network.access is NetworkAccess.HOSTS
    return list(network.hosts) if hosts else network.access.value


def doubts(network: RunNetwork, tools: Sequence[str]) -> list[str]:
    """Return a warning where the tools and the network do not go together."""
    if network.access is NetworkAccess.NONE and _WEB_TOOL in tools:
        return [f"{_WEB_TOOL} has nothing to fetch from: the network is 'none'."]
    return []
