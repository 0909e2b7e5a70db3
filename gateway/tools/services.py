"""What the management tools are built on; made once by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.audit import Trail
from gateway.audit.reading import AuditLog
from gateway.calls.calls import Calls
from gateway.calls.kept_results import KeptResults
from gateway.credential_requests.links import Links
from gateway.credentials import Credentials
from gateway.jobs.runner import Runner
from gateway.jobs.scheduler import Scheduler
from gateway.nodes import Membership
from gateway.notify.opening import Notify
from gateway.restarting import Restart
from gateway.run_files.shelf import Shelf
from gateway.servers import Servers, Trials
from gateway.settings import Settings
from gateway.store import Store
from gateway.telemetry.opening import Telemetry
from gateway.vault import Vault
from gateway.webhooks import Webhooks
from supervisor.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one running gateway."""

    store: Store
    supervisor: Supervisor
    servers: Servers
    trials: Trials
    credentials: Credentials
    credential_links: Links
    vault: Vault
    webhooks: Webhooks
    notify: Notify
    runner: Runner
    node: Membership
    shelf: Shelf
    scheduler: Scheduler
    settings: Settings
    results: KeptResults
    calls: Calls
    trail: Trail
    telemetry: Telemetry
    audit_log: AuditLog
    base_url: str
    """Where this machine reaches the gateway, without a path."""
    address: Callable[[], str]
    """Returns where others reach it: the tunnel's address may come later."""
    restart: Restart = field(default_factory=Restart)
