"""The supervisor as this gateway runs it, and who hears what it tells. Built by `main`."""

import sys
from collections.abc import Mapping
from pathlib import Path

import anyio

from gateway.approvals import PinKeeper
from gateway.combined.endpoint import CombinedEndpoint
from gateway.credentials import Credentials
from gateway.dashboard import Dashboard
from gateway.event_log import log_event
from gateway.notify.opening import Notify
from gateway.server_names import ADDED
from gateway.servers import Follower, Servers
from gateway.settings import Settings
from gateway.store import StoreError
from gateway.telemetry.opening import Telemetry
from gateway.vault import SealBroken
from sandboxes.limits.cgroup import open_delegated
from sandboxes.network.outside import Outside
from sandboxes.policy import Level
from supervisor.config import SupervisorConfig, WarmStarts
from supervisor.errors import NotConfigured
from supervisor.events import Event
from supervisor.folders.watcher import Watcher
from supervisor.redaction import Redactor
from supervisor.slots.restart import RestartPolicy
from supervisor.spec import ServerSpec
from supervisor.supervisor import Supervisor

REHEARSAL = Path(__file__).resolve().with_name("rehearsal.py")


class Hearers:
    """Hears every event of the supervisor; some who want them come later than the first ones."""

    def __init__(self, pin_keeper: PinKeeper, notify: Notify, telemetry: Telemetry) -> None:
        self.dashboard: Dashboard | None = None
        self.combined: CombinedEndpoint | None = None
        self.follower = Follower()
        self.pin_keeper = pin_keeper
        self.notify = notify
        self.telemetry = telemetry

    def emit(self, event: Event) -> None:
        """Log an event, have versions and pins written down, and wake the open pages."""
        log_event(event)
        self.follower.hear(event)
        self.pin_keeper.hear(event)
        self.notify.hear(event)
        self.telemetry.hear(event)
        if self.combined is not None:
            self.combined.hear(event)
        if self.dashboard is not None:
            self.dashboard.hear(event)


def supervise(
    settings: Settings,
    credentials: Credentials,
    hearers: Hearers,
    closed_ports: tuple[int, ...],
    pins: Mapping[str, bytes],
    redactor: Redactor,
    outside: Outside | None,
) -> Supervisor:
    """Return the supervisor; it looks a server's credentials up when it starts it.

    `closed_ports`: of this machine, where no server connects whatever its network.
    `outside`: what servers reach by the hosts that they are granted; None: the internet.
    """

    async def values(spec: ServerSpec) -> Mapping[str, str]:
        try:
            return await credentials.values(spec.name, [c.key for c in spec.credentials])
        except (SealBroken, StoreError) as error:
            raise NotConfigured(str(error)) from error

    config = SupervisorConfig(
        home=settings.home,
        python=Path(sys.executable),
        level=settings.sandbox,
        warm=WarmStarts(
            rehearsal=REHEARSAL,
            code_roots=(settings.fixed_servers_dir, settings.dynamic_servers_dir),
        ),
        uid_base=settings.sandbox_uid_base,
        restart=RestartPolicy(max_deaths=settings.quarantine_deaths),
        closed_ports=closed_ports,
        index=settings.index,
        cgroups=None if settings.sandbox is Level.OFF else open_delegated(),
    )
    return Supervisor(
        config=config,
        credentials=values,
        emit=hearers.emit,
        pins=pins,
        redactor=redactor,
        outside=outside,
    )


def watch(settings: Settings, servers: Servers, hearers: Hearers, loaded: anyio.Event) -> Watcher:
    """Return the watcher that has servers reread whose folders change."""

    async def reread(name: str) -> None:
        await loaded.wait()
        await servers.disk.reread(name)

    roots = (settings.fixed_servers_dir, settings.dynamic_servers_dir, settings.home / ADDED)
    return Watcher(roots, reread, hearers.emit)
