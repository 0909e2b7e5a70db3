"""What every page of a server needs: who looks, which server, and what became of the last form."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from quart import redirect, render_template, request, url_for
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response

from gateway.approvals import Approvals
from gateway.credentials import CredentialRefused, Credentials
from gateway.dashboard.browser import Browser
from gateway.dashboard.views import STATE_TONES, ApprovalRow, approval_rows
from gateway.server_pages.kept import Kept, Outcome
from gateway.servers import ServerReport, Servers
from gateway.servers.fault import read_fault
from gateway.servers.removal import is_shipped
from gateway.tools.server_views import fault_in_words
from gateway.vault import VaultError
from sandboxes.errors import SandboxError
from supervisor.errors import SupervisorError, UnknownServer
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor

PARTS = (
    ("servers.show", "State"),
    ("servers.show_log", "Logs"),
    ("servers.show_tools", "Tools"),
    ("servers.show_credentials", "Credentials"),
)
OF_DYNAMIC = (
    ("servers.show_policy", "Policy"),
    ("servers.show_code", "Code"),
    ("servers.show_versions", "Versions"),
)
"""Of the pages of a server: endpoint and word."""
OWNER = "owner"
"""Who makes a change here, as versions name him."""
REFUSALS = (SupervisorError, SandboxError, CredentialRefused, VaultError)
"""Errors whose message is a sentence for the owner."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Shared by the rooms of a server's pages."""

    browser: Browser
    servers: Servers
    supervisor: Supervisor
    credentials: Credentials
    approvals: Approvals
    outcomes: Kept[Outcome] = field(default_factory=Kept[Outcome])

    def spec(self, name: str, kind: ServerKind | None = None) -> ServerSpec:
        """Return a server's description. Raises NotFound."""
        try:
            return self.servers.spec(name, kind)
        except SupervisorError as error:
            raise NotFound(str(error)) from error

    async def report(self, name: str) -> ServerReport:
        """Return a server as it is now. Raises NotFound."""
        kind = self.spec(name).kind
        try:
            return await self.servers.report(name, kind)
        except SupervisorError as error:
            raise NotFound(str(error)) from error

    async def page(self, template: str, report: ServerReport, **shown: object) -> str:
        """Return a page of a server, with what became of the form before it."""
        dynamic = report.spec.kind is ServerKind.DYNAMIC
        told = {"outcome": self.outcomes.find(request.args.get("said", ""))}
        return await render_template(
            template,
            report=report,
            name=report.spec.name,
            seen=report.snapshot,
            dynamic=dynamic,
            removable=not is_shipped(report.spec),
            tone=STATE_TONES[report.snapshot.state],
            waiting=self.waiting(report.spec.name),
            parts=(*PARTS, *(OF_DYNAMIC if dynamic else ())),
            **{**told, **shown},
        )

    def waiting(self, name: str) -> tuple[ApprovalRow, ...]:
        """Return the tools of a server that wait for their owner."""
        try:
            return approval_rows(self.approvals.of(name))
        except UnknownServer:
            return ()

    def back(self, endpoint: str, outcome: Outcome, **where: Any) -> Response:
        """Return the way to a page that says what became of a form."""
        said = self.outcomes.keep(outcome)
        return redirect(url_for(endpoint, said=said, **where), HTTPStatus.SEE_OTHER)


def outcome_of(report: ServerReport, done: str, **facts: tuple[str, ...]) -> Outcome:
    """Return what became of a change that should have led to `done`, one sentence."""
    told = tuple((name, ", ".join(values)) for name, values in facts.items() if values)
    failure = report.failure
    if failure is None:
        return Outcome(ok=True, sentence=done, facts=told)
    fault = read_fault(failure.stderr_tail, report.spec.code_dir)
    sentence = f"{failure.sentence}{fault_in_words(fault)}"
    if report.missing:
        sentence = f"{sentence.rstrip('.')}; set it under Credentials."
    return Outcome(ok=False, sentence=sentence, lines=failure.stderr_tail, facts=told)


def refused(error: Exception) -> Conflict:
    """Return the answer to an action that was refused, and that changed nothing."""
    return Conflict(str(error))
