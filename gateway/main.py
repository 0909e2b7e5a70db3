"""The composition root: builds every part of a gateway from its settings.

Nothing else knows the concrete parts of more than one room. Above: `serving`.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from gateway.approvals import PinKeeper
from gateway.asgi import Asgi, Router
from gateway.audit import Trail
from gateway.audit.opening import open_audit
from gateway.auth.endings import Endings
from gateway.auth.guard import Guard
from gateway.auth.run_tokens import RunTokens
from gateway.calls.calls import Calls
from gateway.calls.kept_results import KeptResults
from gateway.combined.endpoint import CombinedEndpoint
from gateway.connector.opening import Connector
from gateway.credential_requests import Links
from gateway.credentials import Credentials
from gateway.dashboard import Dashboard
from gateway.dashboard.login import open_login
from gateway.dashboard.sessions import Sessions
from gateway.domain.clock import utc_ms
from gateway.jobs import work_folders
from gateway.jobs.day_budgets import open_day_budgets
from gateway.jobs.limits import RunLimits
from gateway.jobs.options import AgentConfig
from gateway.jobs.run_outside import OutsideButUs, own_names
from gateway.jobs.runner import Runner
from gateway.jobs.scheduler import Scheduler
from gateway.nodes import Membership, open_node
from gateway.notify.opening import Notify, open_notify
from gateway.oauth.opening import open_oauth
from gateway.oauth.server import AuthorizationServer
from gateway.reach.opening import Reach, open_reach
from gateway.reach.proxies import entrance
from gateway.redaction import know_stored
from gateway.relay.begun import Begin
from gateway.relay.endpoint import ServerEndpoint
from gateway.relay.gate import LiveServers
from gateway.restarting import Restart
from gateway.retention import Retention, open_retention
from gateway.rooms import Parts, build_pages, build_router, connector_of
from gateway.run_files.opening import open_shelf
from gateway.servers import Follower, Servers, Trials
from gateway.settings import Settings
from gateway.store import Store
from gateway.supervising import Hearers, supervise, watch
from gateway.telemetry.looking import Looking
from gateway.telemetry.opening import open_telemetry
from gateway.tool_names import live_tools
from gateway.tools import Services
from gateway.vault.opening import open_unlocked
from gateway.webhooks import open_webhooks
from sandboxes.network.outside import Internet, Outside
from sandboxes.policy import Level
from supervisor.folders.watcher import Watcher
from supervisor.redaction import Redactor
from supervisor.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of a running gateway that its main loop touches."""

    router: Router
    app: Asgi
    """The router, behind what looks through trusted proxies."""
    begin: Begin | None
    """The router's short way; None where proxies have to be looked through first."""
    reach: Reach
    connector: Connector
    relay: ServerEndpoint
    combined: CombinedEndpoint
    dashboard: Dashboard
    sessions: Sessions
    runner: Runner
    node: Membership
    calls: Calls
    scheduler: Scheduler
    guard: Guard
    oauth: AuthorizationServer
    servers: Servers
    follower: Follower
    pin_keeper: PinKeeper
    trail: Trail
    notify: Notify
    retention: Retention
    looking: Looking
    watcher: Watcher
    restart: Restart
    loaded: anyio.Event
    """Set once every server on disk has started or said why not."""


@asynccontextmanager
async def build(
    settings: Settings,
    base_url: str,
    redactor: Redactor,
    outside: Outside | None = None,
    tunnel_port: int | None = None,
) -> AsyncGenerator[Gateway]:
    """Build the gateway that is reached at `base_url`; its children end with the body.

    `outside`: what servers and runs reach, and what documents of OAuth clients are fetched from;
    None: the internet.
    `tunnel_port`: where nothing but the tunnel's end connects.

    Raises:
        StoreError, VaultError: the database or the master key cannot be used.
    """
    async with (
        open_telemetry(settings, redactor) as telemetry,
        open_unlocked(settings, redactor.know) as (store, vault),
    ):
        await know_stored(redactor, store, vault)
        credentials = Credentials(store.credentials, vault)
        await credentials.import_env_vars(store.settings)
        await store.settings.mirror_sandbox(enabled=settings.sandbox is not Level.OFF)
        run_tokens = RunTokens()
        endings = Endings()
        oauth = await open_oauth(settings, store, vault, endings, outside or Internet())
        guard = Guard(store, run_tokens, oauth.access_tokens, endings)
        notify = await open_notify(settings, store, vault, redactor)
        hearers = Hearers(PinKeeper(store.definition_pins), notify, telemetry)
        pins = await store.definition_pins.all()
        audit = open_audit(settings, store, redactor)
        audit.trail.listen(telemetry.entry)
        loaded = anyio.Event()
        days = open_day_budgets(settings, store)
        reach = open_reach(settings, base_url, tunnel_port)
        login = await open_login(settings, store, oauth.fingerprints, reach.origins)
        closed = tuple(port for port in (urlsplit(base_url).port, tunnel_port) if port is not None)
        async with (
            KeptResults(settings.home) as results,
            supervise(
                settings, credentials, hearers, closed, pins, redactor, outside
            ) as supervisor,
            Calls() as calls,
        ):
            report = telemetry.reporting(audit.report(supervisor))
            relay = ServerEndpoint(supervisor, report, telemetry.places)
            combined = CombinedEndpoint(
                supervisor, report, telemetry.places, search_first=settings.search_first_tools
            )
            hearers.combined = combined
            for room in (relay, combined, calls):
                endings.listen(room.forget)
            run_tokens.on_revoked = endings.end
            shelf = open_shelf(settings, store, redactor)
            async with (
                open_node(settings, store, base_url) as node,
                Runner(
                    store=store,
                    home=settings.home,
                    node=node.name,
                    clock=node.clock,
                    agent=_agent(settings, closed, node.lease_file),
                    gate=LiveServers(supervisor, relay, combined, guard),
                    run_tokens=run_tokens,
                    begin=loaded.wait,
                    outside=OutsideButUs(outside or Internet(), own_names(store, reach.address)),
                    limits=RunLimits(settings.run_concurrency, settings.server_concurrency),
                    retention=work_folders.Retention(
                        settings.run_folders, settings.run_folders_days
                    ),
                    redactor=redactor,
                    shelf=shelf,
                    days=days,
                    notify_after=settings.notify_after,
                    told=telemetry.run_ended,
                ) as runner,
                open_webhooks(
                    settings,
                    store,
                    vault,
                    runner,
                    reach.address,
                    redactor,
                    days,
                    lambda: live_tools(supervisor.snapshots()),
                ) as webhooks,
            ):
                node.carry(runner)
                servers = _servers(settings, store, credentials, supervisor)
                services = Services(
                    store=store,
                    supervisor=supervisor,
                    servers=servers,
                    trials=Trials(
                        supervisor=supervisor,
                        credentials=credentials,
                        dynamic_dir=settings.dynamic_servers_dir,
                        state_dir=settings.home / "servers",
                    ),
                    credentials=credentials,
                    credential_links=Links(utc_ms),
                    vault=vault,
                    webhooks=webhooks,
                    notify=notify,
                    runner=runner,
                    shelf=shelf,
                    scheduler=Scheduler(store, runner, node.clock),
                    node=node,
                    settings=settings,
                    results=results,
                    calls=calls,
                    trail=audit.trail,
                    telemetry=telemetry,
                    audit_log=audit.log,
                    base_url=base_url,
                    address=reach.address,
                )
                yield _gateway(
                    Parts(
                        services=services,
                        guard=guard,
                        oauth=oauth,
                        login=login,
                        relay=relay,
                        combined=combined,
                        reach=reach,
                        hearers=hearers,
                        audit=audit,
                        loaded=loaded,
                    )
                )


def _gateway(parts: Parts) -> Gateway:
    services, hearers = parts.services, parts.hearers
    connector, looking = connector_of(parts), _looking(services)
    dashboard = hearers.dashboard = build_pages(parts, connector)
    router = build_router(parts, dashboard, connector, looking)
    return Gateway(
        router=router,
        reach=parts.reach,
        connector=connector,
        app=entrance(router, parts.reach.trusted, parts.reach.origins),
        begin=None if parts.reach.trusted else router.begin,
        relay=parts.relay,
        combined=parts.combined,
        dashboard=dashboard,
        sessions=parts.login.sessions,
        runner=services.runner,
        node=services.node,
        calls=services.calls,
        scheduler=services.scheduler,
        guard=parts.guard,
        oauth=parts.oauth,
        servers=services.servers,
        follower=hearers.follower,
        pin_keeper=hearers.pin_keeper,
        trail=parts.audit.trail,
        notify=services.notify,
        retention=open_retention(services.settings, services.store, utc_ms),
        looking=looking,
        watcher=watch(services.settings, services.servers, hearers, parts.loaded),
        restart=services.restart,
        loaded=parts.loaded,
    )


def _looking(services: Services) -> Looking:
    runner = services.runner
    return Looking(
        services.telemetry, services.supervisor, services.store, lambda: runner.live_runs
    )


def _servers(
    settings: Settings, store: Store, credentials: Credentials, supervisor: Supervisor
) -> Servers:
    return Servers(
        supervisor=supervisor,
        store=store,
        credentials=credentials,
        fixed_dir=settings.fixed_servers_dir,
        dynamic_dir=settings.dynamic_servers_dir,
        state_dir=settings.home / "servers",
        code_changes=settings.code_changes,
    )


def _agent(
    settings: Settings, closed_ports: tuple[int, ...], lease_file: Path | None
) -> AgentConfig:
    return AgentConfig(
        api_key=settings.anthropic_api_key,
        model=settings.claude_model,
        base_url=settings.anthropic_base_url,
        level=settings.sandbox,
        uid_base=settings.sandbox_uid_base,
        certificates=settings.certificates,
        closed_ports=closed_ports,
        prices=settings.prices,
        standby_s=settings.run_standby_s,
        lease_file=lease_file,
    )
