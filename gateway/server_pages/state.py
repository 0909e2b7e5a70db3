"""``/servers`` and ``/server/<name>``: how servers are."""

from quart import Blueprint, render_template

from gateway.dashboard.views import STATE_TONES, duration
from gateway.server_pages.charts import HEADS, spans_of
from gateway.server_pages.desk import Desk
from gateway.server_pages.facts import crash_rows, policy_of, state_of, use_of
from gateway.servers import ServerReport
from supervisor.spec import ServerKind


class StatePages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.get("/servers")(self.index)
        pages.get("/server/<name>")(self.show)

    async def index(self) -> str:
        """Every server there is."""
        servers = self._desk.servers
        reports = [report for kind in ServerKind for report in await servers.reports(kind)]
        rows = [_row(each) for each in sorted(reports, key=lambda each: each.spec.name)]
        return await render_template("servers.html", rows=rows, problems=servers.disk.problems)

    async def show(self, name: str) -> str:
        """One server as it is now."""
        report = await self._desk.report(name)
        return await self._desk.page(
            "server_state.html",
            report,
            state=state_of(report),
            use=use_of(report.metrics),
            spans=spans_of(report.metrics),
            heads=HEADS,
            policy=policy_of(report.spec, report.snapshot.level),
            instances=report.snapshot.instances,
            crashes=crash_rows(self._desk.supervisor.crashes(name)),
        )


def _row(report: ServerReport) -> dict[str, object]:
    seen = report.snapshot
    return {
        "name": seen.name,
        "description": report.spec.description,
        "kind": seen.kind.value,
        "state": seen.state.value,
        "tone": STATE_TONES[seen.state],
        "reason": seen.reason,
        "enabled": report.enabled,
        "generation": seen.generation or "-",
        "digest": seen.digest[:12],
        "uptime": duration(seen.uptime_s),
        "tools": len(seen.tools),
        "missing": report.missing,
    }
