"""Opens the audit log of a gateway by its settings."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quart import Blueprint, Quart, request

from gateway.audit.deeds import actor_of
from gateway.audit.deliveries import App, watch_deliveries
from gateway.audit.pages import AuditPages
from gateway.audit.programs import watch_programs
from gateway.audit.reading import AuditLog
from gateway.audit.relayed import reporting
from gateway.audit.requests import audit_requests
from gateway.audit.routes import build_audit_routes
from gateway.audit.trail import Keeping, Trail
from gateway.auth.caller import Caller
from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.domain.audit import Actor, AuditEntry, Outcome
from gateway.domain.clock import utc_ms
from gateway.oauth.journal import Journal
from gateway.reach.address import client_address
from gateway.relay.ended import Report
from gateway.settings import Settings
from gateway.store import Store
from gateway.webhooks.opening import Webhooks
from supervisor.children.lists import Tool
from supervisor.errors import UnknownServer
from supervisor.redaction import Redactor
from supervisor.supervisor import Supervisor

SESSION_CHARACTERS = 8
"""Of a session's hash: tells a handful of browsers apart, and opens nothing."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The log, and what shows it."""

    trail: Trail
    log: AuditLog

    def report(self, supervisor: Supervisor) -> Report:
        """Return what the relay tells of its requests."""

        def tools_of(server: str) -> Sequence[Tool] | None:
            try:
                return supervisor.slot(server).tools
            except UnknownServer:
                return None

        return reporting(self.trail, tools_of)

    def pages(self, browser: Browser, live: Live) -> Blueprint:
        """Return the owner's page."""
        return AuditPages(self.log, browser, live).blueprint()

    def routes(self) -> Blueprint:
        """Return the command line's routes."""
        return build_audit_routes(self.log)

    def watch_pages(self, app: Quart, browser: Browser) -> None:
        """Have what browsers change leave entries."""
        audit_requests(app, self.trail, _who(browser))

    def watch_webhooks(self, webhooks: Webhooks) -> App:
        """Return the webhooks' application so that deliveries leave entries."""

        def webhook_at(secret: str) -> str | None:
            hook = webhooks.hooks.find(secret)
            return None if hook is None else hook.webhook.id

        return watch_deliveries(webhooks, self.trail, webhook_at)

    def watch_programs(self, journal: Journal) -> None:
        """Have what programs ask of the OAuth endpoints leave entries."""
        watch_programs(journal, self.trail)

    def refused(self, caller: Caller, tool: str | None) -> None:
        """Take that a token may not do what it asked of the management tools."""
        actor, actor_id = actor_of(caller)
        entry = AuditEntry(
            at=utc_ms(),
            actor=actor,
            actor_id=actor_id,
            action=tool or "management tools",
            outcome=Outcome.REFUSED,
        )
        self.trail.note(lambda: entry)

    def watch_command_line(self, app: Quart) -> None:
        """Have what the command line changes leave entries."""
        audit_requests(app, self.trail, lambda: (Actor.CLI, ""))


def open_audit(settings: Settings, store: Store, redactor: Redactor) -> Audit:
    """Return the audit log; `Trail.run` has to run for it to be written down."""
    keeping = Keeping(settings.audit_entries, settings.audit_days)
    trail = Trail(store.audit, redactor, keeping, utc_ms)
    return Audit(trail, AuditLog(store.audit, trail, utc_ms))


def _who(browser: Browser) -> Callable[[], tuple[Actor, str]]:
    def who() -> tuple[Actor, str]:
        if not browser.is_logged_in():
            return Actor.STRANGER, client_address(request.scope)
        hashed = hashlib.sha256(browser.session_id().encode()).hexdigest()
        return Actor.OWNER, hashed[:SESSION_CHARACTERS]

    return who
