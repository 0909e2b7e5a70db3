"""Tools for servers that run, fixed and dynamic ones: health, logs, restart."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastmcp.tools import tool
from pydantic import Field

from gateway.domain.units import shown
from gateway.servers import ServerReport
from gateway.servers.logs import newest_lines
from gateway.tools.approvals import shown_tool
from gateway.tools.arguments import ServerName
from gateway.tools.hints import OPEN, READ
from gateway.tools.metric_views import MetricsView, view_metrics
from gateway.tools.sentences import Refused
from gateway.tools.server_views import ServerAnswer, view_change
from gateway.tools.services import Services
from supervisor.children.log_reader import Wanted
from supervisor.events import ServerState
from supervisor.spec import ServerKind

MAX_SHOWN_SERVERS = 100
SPAN = re.compile(r"(\d{1,5})\s*([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
AT_REST = frozenset({ServerState.READY, ServerState.STARTING, ServerState.STOPPED})


@dataclass(frozen=True, slots=True)
class HealthView:
    """How a server is."""

    server: str
    kind: str
    state: str
    healthy: bool
    problem: str
    """Why it is not, or what keeps newer code from running; '' when all is well."""
    sandbox: str
    start: str | None
    """warm or cold; null without a process."""
    generation: int
    uptime_s: float | None
    restarts: int
    last_exit: str | None
    tools: int
    calls: int
    errors: int
    in_flight: int
    metrics: MetricsView


@dataclass(frozen=True, slots=True)
class Health:
    """How servers are: how many are in which state, then each of them, unhealthy ones first."""

    states: dict[str, int]
    servers: list[HealthView]
    more: int
    """Healthy ones that are not shown."""


@dataclass(frozen=True, slots=True)
class LogView:
    """A line of a server's standard error."""

    at: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Logs:
    """Lines of a server's standard error, oldest first."""

    server: str
    lines: list[LogView]
    cut: bool
    """True when older ones were left out, because all together are too long."""


class OperationTools:
    """health, logs, restart."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Restart a server", annotations=OPEN)
    async def restart_mcp_server(self, name: ServerName) -> ServerAnswer:
        """Stop a fixed or dynamic server's process and start a new one.

        Its calls in flight fail, and a wait after crashes ends. Use it for a server that hangs;
        changed code, packages and credentials are taken over without it.
        """
        report = await self._services.servers.restart(name)
        if not report.enabled:
            raise Refused(
                f"Server {name!r} is disabled; enable it with "
                f"enable_{'fixed' if report.spec.kind is ServerKind.FIXED else 'mcp'}_server."
            )
        return view_change(report, f"Server {name!r} is restarted and {report.snapshot.state}.")

    @tool(title="Show servers' health", annotations=READ)
    async def get_server_health(self, server: ServerName | None = None) -> Health:
        """Show how one server is, or all of them: state, uptime, restarts, speed, CPU, memory.

        Of all, the unhealthy come first and at most 100 are shown. get_crash_report has why a
        process died, get_server_logs what it wrote.
        """
        servers = self._services.servers
        if server is not None:
            reports = [await servers.report(server, servers.spec(server).kind)]
        else:
            reports = [report for kind in ServerKind for report in await servers.reports(kind)]
        views = sorted(map(_view, reports), key=lambda view: (view.healthy, view.server))
        states = Counter(view.state for view in views)
        return Health(dict(states), views[:MAX_SHOWN_SERVERS], len(views[MAX_SHOWN_SERVERS:]))

    @tool(title="Show a server's logs", annotations=READ)
    async def get_server_logs(
        self,
        server: ServerName,
        lines: Annotated[
            int, Field(ge=1, le=1000, description="At most so many, the newest ones.")
        ] = 100,
        since: Annotated[
            str | None,
            Field(
                max_length=40,
                description="A time such as 2026-11-22T08:00:00Z, or how long ago: 90s, 15m, 2h.",
            ),
        ] = None,
        contains: Annotated[
            str, Field(max_length=200, description="Only lines with this text, in any case.")
        ] = "",
    ) -> Logs:
        """Show what a fixed or dynamic server wrote to standard error, also before its last crash.

        Kept are the last 30 MB. At most 60,000 characters, the newest.
        """
        self._services.servers.spec(server)
        wanted = Wanted(lines, None if since is None else _time(since), contains)
        found = await newest_lines(self._services.supervisor.log_path(server), wanted)
        views = [LogView(line.at and _iso(line.at), line.text) for line in found.lines]
        return Logs(server, views, cut=found.cut)


def _view(report: ServerReport) -> HealthView:
    seen = report.snapshot
    problem = _problem(report)
    return HealthView(
        server=seen.name,
        kind=seen.kind,
        state=seen.state,
        healthy=not problem,
        problem=problem,
        sandbox=seen.level,
        start=seen.start,
        generation=seen.generation,
        uptime_s=None if seen.uptime_s is None else round(seen.uptime_s, 3),
        restarts=seen.restarts,
        last_exit=seen.last_exit,
        tools=len(seen.tools),
        calls=seen.calls,
        errors=seen.errors,
        in_flight=seen.in_flight,
        metrics=view_metrics(report.metrics),
    )


def _problem(report: ServerReport) -> str:
    seen = report.snapshot
    if not report.enabled:
        return ""
    if seen.state not in AT_REST:
        return f"It is {seen.state}: {seen.reason}."
    if seen.rejected:
        return f"Newer code is not running: {seen.rejected}."
    names = ", ".join(shown_tool(seen.name, found.tool) for found in seen.quarantined_tools)
    return f"Quarantined: {names}; see list_pending_approvals." if names else ""


def _time(text: str) -> datetime:
    """Return the instant that a caller means. Raises Refused."""
    if match := SPAN.fullmatch(text.strip()):
        span = timedelta(**{UNITS[match[2]]: int(match[1])})
        return datetime.now(UTC) - span
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            f"since is {shown(text)}; write a time such as 2026-11-22T08:00:00Z, or a span such "
            f"as 15m."
        ) from None


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
