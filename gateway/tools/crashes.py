"""The tool for crash reports: why a server's process died or did not start."""

from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools import tool
from pydantic import Field

from gateway.domain.units import iso
from gateway.tools.arguments import ServerName
from gateway.tools.hints import READ
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from supervisor.children.crash import CrashReport

Which = Annotated[
    int, Field(ge=1, le=100, description="1 is the newest report, 2 the one before it, and so on.")
]


@dataclass(frozen=True, slots=True)
class CallInFlight:
    """A call that failed with its server; its arguments by kind and length, never by value."""

    tool: str
    arguments: str
    running_s: float


@dataclass(frozen=True, slots=True)
class CrashView:
    """One death of a server's process, or one start that failed."""

    server: str
    which: int
    kept: int
    """How many reports there are."""
    message: str
    at: str
    generation: int
    digest: str
    cause: str
    sandbox_breach: bool
    was_ready: bool
    uptime_s: float
    code_changed_s: float | None
    """Seconds between the last change of its code and its death."""
    calls_failed: int
    calls: list[CallInFlight]
    stderr_tail: list[str]


class CrashTools:
    """get_crash_report."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Show why a server crashed", annotations=READ)
    async def get_crash_report(self, server: ServerName, which: Which = 1) -> CrashView:
        """Show why a server's process died or did not become ready.

        Has the exit code or signal, the limit that was exceeded, the last lines of standard error,
        the calls in flight, and how long before its code was changed.
        """
        self._services.servers.spec(server)
        reports = self._services.supervisor.crashes(server)
        if not reports:
            raise Refused(f"Server {server!r} has no crash report: none of its processes died.")
        if which > len(reports):
            raise Refused(
                f"Server {server!r} has {len(reports)} crash reports; 1 is the newest of them."
            )
        return view_crash(reports[-which], which, len(reports))


def view_crash(report: CrashReport, which: int, kept: int) -> CrashView:
    """Return a report as tools and the command line show it."""
    return CrashView(
        server=report.server,
        which=which,
        kept=kept,
        message=f"Server {report.server!r} died: {report.cause}, {report.circumstances()}.",
        at=iso(int(report.at * 1000)),
        generation=report.generation,
        digest=report.digest,
        cause=report.cause,
        sandbox_breach=report.sandbox_breach,
        was_ready=report.was_ready,
        uptime_s=round(report.uptime_s, 3),
        code_changed_s=None if report.code_changed_s is None else round(report.code_changed_s, 1),
        calls_failed=report.calls_failed,
        calls=[CallInFlight(c.tool, c.arguments, round(c.running_s, 3)) for c in report.calls],
        stderr_tail=list(report.stderr_tail),
    )
