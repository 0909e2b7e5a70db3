"""What answers HTTP, built from the parts: pages, the command line's routes, the router.

Above: `main`, which makes the parts.
"""

import time
from dataclasses import dataclass
from typing import cast

import anyio
from quart import Quart

from gateway.access.page import AccessPage
from gateway.approvals import Approvals
from gateway.asgi import Asgi, Rooms, Router
from gateway.audit.opening import Audit
from gateway.auth.admission import Admission
from gateway.auth.guard import Guard
from gateway.catalog.opening import open_catalog
from gateway.code_changes import ChangePages, build_change_routes
from gateway.combined.endpoint import CombinedEndpoint
from gateway.connector.opening import Connector, open_connector
from gateway.cost_pages import open_cost_pages
from gateway.credential_requests import CredentialPages
from gateway.dashboard import Dashboard, Sources, build_dashboard
from gateway.dashboard.live import Live
from gateway.dashboard.login import Login
from gateway.dashboard.slow_readers import drop_slow_readers
from gateway.dashboard.work import stored_work
from gateway.doctor.page import DoctorPage
from gateway.domain.clock import utc_ms
from gateway.examples.routes import build_example_routes
from gateway.job_pages import open_job_pages
from gateway.local_routes import build_local
from gateway.node_pages import open_node_pages
from gateway.notify.pages import NotificationPages
from gateway.oauth.server import AuthorizationServer
from gateway.quick_run import open_quick_run
from gateway.reach.limits import open_limits
from gateway.reach.opening import Reach
from gateway.relay.endpoint import ServerEndpoint
from gateway.run_export.routes import RunExport
from gateway.run_pages import build_run_routes, open_run_pages
from gateway.sandbox_notice import sandbox_notice
from gateway.server_grants.routes import build_grant_routes
from gateway.server_leavings import build_leaving_routes
from gateway.server_pages import open_server_pages
from gateway.settings_pages import open_settings_pages
from gateway.supervising import Hearers
from gateway.telemetry.looking import Looking
from gateway.telemetry.scraping import Scraping
from gateway.tools import Management, Services
from gateway.variables import Transport
from gateway.vault.routes import build_key_routes
from gateway.webhook_pages import open_webhook_pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A gateway's parts, as far as people and programs reach them by HTTP."""

    services: Services
    guard: Guard
    oauth: AuthorizationServer
    login: Login
    relay: ServerEndpoint
    combined: CombinedEndpoint
    reach: Reach
    hearers: Hearers
    audit: Audit
    loaded: anyio.Event
    """Set once every server on disk has started or said why not."""


def build_pages(parts: Parts, connector: Connector) -> Dashboard:
    """Return what browsers see."""
    services, login = parts.services, parts.login
    store, browser = services.store, login.browser

    live = Live(time.monotonic)
    dashboard = build_dashboard(
        Sources(
            services.supervisor.snapshots,
            services.supervisor.metrics,
            stored_work(
                services.settings,
                store,
                services.supervisor,
                services.servers,
                connector.address_trouble,
            ),
            Approvals(services.supervisor),
            time.monotonic,
            sandbox_notice(services.settings.sandbox),
        ),
        login,
        live,
        further=(
            parts.oauth.pages(browser),
            connector.pages(browser),
            DoctorPage(services.settings, browser).blueprint(),
            parts.audit.pages(browser, live),
            AccessPage(login, parts.oauth.access(), store.tokens, parts.guard, live).blueprint(),
            CredentialPages(
                browser, services.credential_links, services.servers, services.credentials
            ).blueprint(),
            ChangePages(browser, services.servers, live).blueprint(),
            RunExport(store, utc_ms).pages(browser),
            NotificationPages(browser, services.notify, store, live).blueprint(),
            open_run_pages(services, login, live),
            open_server_pages(services, browser, live),
            open_webhook_pages(browser, services, live),
            open_job_pages(browser, services, live),
            open_quick_run(browser, services),
            open_cost_pages(browser, services, live),
            open_settings_pages(browser, services),
            open_node_pages(browser, services, live),
        ),
    )
    parts.audit.watch_pages(dashboard.app, browser)
    drop_slow_readers(dashboard.app)
    return dashboard


def build_router(
    parts: Parts, dashboard: Dashboard, connector: Connector, looking: Looking
) -> Router:
    """Return the router with all its rooms."""
    settings, origins = parts.services.settings, parts.reach.origins
    parts.audit.watch_programs(parts.oauth.journal)
    has_sse = settings.mcp_transport in (Transport.SSE, Transport.BOTH)
    management = Management(parts.services, has_sse=has_sse)
    rooms = Rooms(
        pages=dashboard.app,
        management=management,
        relay=parts.relay,
        combined=parts.combined,
        webhooks=parts.audit.watch_webhooks(parts.services.webhooks),
        local=cast(Asgi, _local(parts, connector)),
        oauth=parts.oauth.endpoints(origins),
        probe=connector.probe,
        scraping=_scraping(parts.services, looking),
    )
    limits, needed = open_limits(settings), management.needed_scope
    return Router(
        rooms,
        admission=Admission(parts.guard, origins, limits, needed, parts.audit.refused),
        endings=parts.guard.endings,
        origins=origins,
        ready=parts.loaded.is_set,
    )


def _scraping(services: Services, looking: Looking) -> Scraping | None:
    page = services.telemetry.page
    return None if page is None else Scraping(page, looking.look)


def connector_of(parts: Parts) -> Connector:
    """Return what walks claude.ai's way to this gateway."""
    services = parts.services
    return open_connector(
        services.settings,
        services.store.oauth_clients,
        parts.reach,
        parts.oauth.journal,
        services.base_url,
    )


def _local(parts: Parts, connector: Connector) -> Quart:
    services = parts.services
    local = build_local(
        services.store,
        parts.guard,
        services.supervisor,
        Approvals(services.supervisor),
        services.settings,
        parts.oauth,
        further=(
            build_key_routes(services.vault),
            build_change_routes(services.servers),
            build_grant_routes(services.servers, services.settings),
            build_example_routes(services.servers),
            open_catalog(services.servers, services.supervisor, services.settings),
            build_leaving_routes(services.servers, services.credentials),
            build_run_routes(services.runner.feeds, services.store, services.shelf),
            connector.local_routes(),
            parts.reach.local_routes(),
            parts.audit.routes(),
            RunExport(services.store, utc_ms).local_routes(),
            parts.login.local(),
        ),
    )
    parts.audit.watch_command_line(local)
    drop_slow_readers(local)
    return local
