"""What a run's own network leads to: from its job's choice to the rules of its proxy."""

import logging

from gateway.domain.network import NetworkAccess, RunNetwork
from gateway.jobs.errors import RunRefused
from sandboxes.network.egress import Proxy
from sandboxes.network.hosts import parse_rules
from sandboxes.network.outside import Outside
from sandboxes.network.proxy_request import Refusal
from sandboxes.network.traffic import Traffic
from sandboxes.network.way_out import Egress
from sandboxes.policy import Level

log = logging.getLogger(__name__)


def egress_of(network: RunNetwork, level: Level) -> Egress | None:
    """Return what a run's proxy grants; None: there is no proxy.

    Raises:
        RunRefused: the level cannot hold a run to its network.
        InvalidHost: a host is no name.
    """
    if level is not Level.STRONG:
        if network.access is NetworkAccess.PUBLIC:
            return None
        raise RunRefused(
            f"The network {network.access.value!r} of this run needs SANDBOX=strong, because under "
            f"{level.value!r} runs share the machine's network; set that, or network to 'public'."
        )
    if network.access is NetworkAccess.NONE:
        return None
    if network.access is NetworkAccess.PUBLIC:
        return Egress(public=True, holder="run")
    return Egress(parse_rules(network.hosts), holder="run")


def proxy_of(run_id: str, egress: Egress, outside: Outside, traffic: Traffic) -> Proxy:
    """Return the proxy of one run, which logs each host that it refuses once."""

    def note(refusal: Refusal) -> None:
        log.info("Run %s was refused %s: %s", run_id, refusal.asked, refusal)

    return Proxy(egress, outside, on_refused=note, traffic=traffic)
