"""What can be seen of a server at one instant: a copy, safe to keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandboxes.launch import StartKind
from sandboxes.packages.build import Built
from sandboxes.packages.environments import Environments
from sandboxes.packages.recipe import declared_packages
from sandboxes.policy import Level, Network
from supervisor.children.crash import CrashReport
from supervisor.events import ServerState
from supervisor.pinning.pins import QuarantinedTool
from supervisor.slots.instances import InstanceView
from supervisor.slots.slot import Slot
from supervisor.spec import Era, ServerKind


@dataclass(frozen=True, slots=True)
class ServerSnapshot:
    """A server as its slot sees it now."""

    name: str
    kind: ServerKind
    description: str
    state: ServerState
    reason: str
    """Why it is in this state; empty when ready."""
    level: Level
    """The sandbox level its child runs at, or would run at."""
    generation: int
    pid: int | None
    start: StartKind | None
    """How its child was started; None without one."""
    uptime_s: float | None
    restarts: int
    era: Era | None
    calls: int
    errors: int
    in_flight: int
    tools: tuple[Mapping[str, Any], ...]
    """The raw definitions of `tools/list`, of the last child that became ready."""
    stderr_tail: tuple[str, ...]
    last_exit: str | None
    digest: str
    network: Network = field(default_factory=Network)
    refused_hosts: tuple[str, ...] = ()
    """The last ones that its children asked for without a grant, oldest first."""
    bytes_out: int = 0
    """Through the proxy for granted hosts, since the supervisor began."""
    bytes_in: int = 0
    last_crash: CrashReport | None = None
    environment: Built | None = None
    """What its packages are installed in; None: the shipped one, or one that is not built yet."""
    packages: tuple[str, ...] = ()
    """What it declares."""
    rejected: str | None = None
    """Why newer code than that of the present child is not running."""
    quarantined_tools: tuple[QuarantinedTool, ...] = ()
    """Not among the tools: their definitions changed or came without an edit of the server."""
    instances: tuple[InstanceView, ...] = ()
    """The running ones of single sessions and callers; `pid` is beside these."""


def take(slot: Slot, level: Level, environments: Environments) -> ServerSnapshot:
    """Return a slot as it is now; `level` is the one its children run at."""
    recipe = slot.spec.recipe
    child = slot.current
    links = [each.link for each in (child, *slot.instances.children()) if each is not None]
    return ServerSnapshot(
        name=slot.spec.name,
        kind=slot.spec.kind,
        description=slot.spec.description,
        state=slot.state,
        reason=slot.reason,
        level=level,
        generation=child.generation if child else slot.generation,
        pid=child.process.pid if child else None,
        start=child.process.start if child else None,
        uptime_s=child.ready_for_s if child else None,
        restarts=slot.restarts,
        era=child.handshake.era if child else None,
        calls=slot.calls_before + sum(link.counters.calls for link in links),
        errors=slot.errors_before + sum(link.counters.errors for link in links),
        in_flight=sum(link.in_flight for link in links),
        tools=slot.tools,
        stderr_tail=slot.log.tail(),
        last_exit=slot.last_exit,
        digest=slot.spec.digest,
        network=slot.spec.network,
        refused_hosts=slot.outlet.traffic.refused_hosts,
        bytes_out=slot.outlet.traffic.bytes_out,
        bytes_in=slot.outlet.traffic.bytes_in,
        last_crash=slot.crashes.newest,
        environment=environments.built(recipe) if recipe else None,
        packages=declared_packages(recipe),
        rejected=slot.rejected,
        quarantined_tools=slot.pins.quarantined,
        instances=slot.instances.views(),
    )
