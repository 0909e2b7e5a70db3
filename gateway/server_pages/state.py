"""``/servers`` and ``/server/<name>``: how servers are."""

from jinja2 import Environment
from quart import Blueprint, render_template
from werkzeug.exceptions import NotFound

from gateway.dashboard.live import Live
from gateway.dashboard.views import STATE_TONES, duration
from gateway.server_pages.charts import HEADS, spans_of
from gateway.server_pages.desk import Desk
from gateway.server_pages.facts import crash_rows, policy_of, state_of, use_of
from gateway.servers import ServerReport
from supervisor.errors import UnknownServer
from supervisor.spec import ServerKind

LIST = "server-list"


class StatePages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk, live: Live) -> None:
        self._desk = desk
        self._live = live

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes, and the fragment of a server."""
        pages.get("/servers")(self.index)
        pages.get("/server/<name>")(self.show)
        pages.record(lambda state: self._follow(state.app.jinja_env))

    def _follow(self, templates: Environment) -> None:
        """Have pages follow how a server stands; streams are written outside of any request."""
        standing = templates.get_template("server_standing.html")

        async def render(name: str) -> str:
            return await standing.render_async(**await self._standing(name))

        self._live.register("server", render, ticks=True)
        listed = templates.get_template("server_list.html")

        async def render_list(_: str) -> str:
            return await listed.render_async(**await self._listed())

        self._live.register(LIST, render_list, ticks=True)

    async def index(self) -> str:
        """Every server there is."""
        return await render_template("servers.html", followed=LIST)

    async def _listed(self) -> dict[str, object]:
        servers = self._desk.servers
        reports = [report for kind in ServerKind for report in await servers.reports(kind)]
        rows = [_row(each) for each in sorted(reports, key=lambda each: each.spec.name)]
        return {"rows": rows, "problems": servers.disk.problems}

    async def show(self, name: str) -> str:
        """One server as it is now."""
        return await self._desk.page("server_state.html", await self._desk.report(name))

    async def _standing(self, name: str) -> dict[str, object]:
        """Return what the live fragment of one server shows."""
        try:
            report = await self._desk.report(name)
            crashes = self._desk.supervisor.crashes(name)
        except (NotFound, UnknownServer) as error:
            return {"gone": str(error)}
        return {
            "report": report,
            "seen": report.snapshot,
            "tone": STATE_TONES[report.snapshot.state],
            "state": state_of(report),
            "use": use_of(report.metrics),
            "spans": spans_of(report.metrics),
            "heads": HEADS,
            "policy": policy_of(report.spec, report.snapshot.level),
            "instances": report.snapshot.instances,
            "crashes": crash_rows(crashes),
        }


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
