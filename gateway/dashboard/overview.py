"""The overview: four live fragments, each rendered for itself, from snapshots and the store."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from jinja2 import Environment
from markupsafe import Markup

from gateway.dashboard.fragment import Listing
from gateway.dashboard.live import HEALTH_S, TICK_S, Live
from gateway.dashboard.server_filter import BROKEN, cut, of_argument
from gateway.dashboard.ticks import tick_rows
from gateway.dashboard.views import ServerRow, run_rows, server_row
from gateway.dashboard.work import Runs, Work
from supervisor.events import ServerState
from supervisor.metering.metrics import ServerMetrics
from supervisor.snapshot import ServerSnapshot

METRICS_S = 5.0
"""So long figures of a server are taken for new: they change every ten seconds."""
RUNS_S = 0.5
"""Two fragments show runs: together they read them once."""
ROWS_AT_ONCE = 50
"""Between two looks at other requests, while many rows are written."""
SHOWN_NAMES = 8
"""Of servers in one warning."""

HEALTH = ("attention", "figures", "servers", "server-list", "approvals-seen", "tools-seen")
"""The fragments of all pages that show the health of processes."""


@dataclass(frozen=True, slots=True)
class Warning:
    """One sentence, and where to do something about it."""

    sentence: str
    path: str
    word: str


@dataclass(frozen=True, slots=True)
class _Written:
    """A row as it was written last."""

    row: ServerRow
    html: str
    read_at: float


class Overview:
    """Renders the fragments; `register` gives them to the pages."""

    def __init__(
        self,
        *,
        snapshots: Callable[[], tuple[ServerSnapshot, ...]],
        metrics: Callable[[str], ServerMetrics],
        work: Work,
        templates: Environment,
        monotonic: Callable[[], float],
    ) -> None:
        self._snapshots = snapshots
        self._metrics = metrics
        self._work = work
        self._templates = templates
        self._monotonic = monotonic
        # Rows are many and small: rendering one by one costs less without coroutines.
        self._row = templates.overlay(enable_async=False).get_template("overview_row.html")
        self._rows: dict[str, _Written] = {}
        """By server."""
        self._changed: dict[str, float] = {}
        """When an event told last that a server's row is no longer so."""
        self._event_at = -TICK_S
        self._seen_metrics: dict[str, tuple[float, ServerMetrics]] = {}
        self._runs: tuple[float, Runs] | None = None
        self.rows_read = 0
        self.rows_written = 0

    def register(self, live: Live) -> None:
        """Have pages follow the fragments."""
        live.register("attention", self._attention, ticks=True)
        live.register("figures", self._figures, ticks=True)
        live.register("servers", self._servers, ticks=True)
        live.register("runs", self._recent, ticks=True)

    def changed(self, server: str) -> None:
        """Read a server and its figures anew the next time: it may have another process."""
        self._seen_metrics.pop(server, None)
        self._event_at = self._monotonic()
        if server in self._rows:
            self._changed[server] = self._event_at

    async def _attention(self, _: str) -> str:
        waiting = await self._work.waiting()
        warnings = [*_warnings(self._snapshots())]
        if waiting.changes:
            sentence = f"New code of servers with credentials waits for you: {waiting.changes}."
            warnings.append(Warning(sentence, "/changes", "Look at it"))
        if waiting.lacking:
            names = _listed([f"{key} of {server}" for server, key in waiting.lacking])
            sentence = f"Credentials are missing: {names}."
            warnings.append(Warning(sentence, f"/server/{waiting.lacking[0][0]}", "Set them"))
        if waiting.broken_jobs:
            names = _listed([job.name for job in waiting.broken_jobs])
            sentence = f"Jobs whose schedule cannot be read any more: {names}."
            warnings.append(Warning(sentence, f"/jobs/{waiting.broken_jobs[0].id}", "Look why"))
        if waiting.address:
            warnings.append(Warning(waiting.address, "/connector", "Check the way"))
        return await self._render("overview_attention.html", warnings=warnings)

    async def _figures(self, _: str) -> str:
        states = Counter(each.state for each in self._snapshots())
        runs = await self._read_runs()
        return await self._render(
            "overview_figures.html",
            servers=states.total(),
            ready=states[ServerState.READY],
            asleep=states[ServerState.STOPPED] + states[ServerState.DISABLED],
            broken=sum(states[each] for each in BROKEN),
            runs=runs,
            next_tick=next(tick_rows(runs.next_jobs, runs.read_at), None),
        )

    async def _servers(self, argument: str) -> Listing:
        now, snapshots, rows = self._monotonic(), self._snapshots(), dict[str, str]()
        for gone in self._rows.keys() - {each.name for each in snapshots}:
            del self._rows[gone]
            self._changed.pop(gone, None)
        if not snapshots:
            return Listing(await self._render("overview_none.html"), {}, "")
        shown = cut(of_argument(argument), snapshots)
        for number, snapshot in enumerate(shown.servers):
            known = self._rows.get(snapshot.name)
            if known is None or self._is_old(snapshot.name, known, now):
                known = self._rows[snapshot.name] = self._read(snapshot, known, now)
            rows[known.row.id] = known.html
            if number % ROWS_AT_ONCE == ROWS_AT_ONCE - 1:
                await asyncio.sleep(0)
        # Markup, so that templates put it where it belongs without escaping it once more.
        frame = await self._render("overview_servers.html", shown=shown)
        before, after = frame.split("<!-- rows -->")
        return Listing(before, rows, after)

    async def _recent(self, _: str) -> str:
        runs = await self._read_runs()
        return await self._render(
            "overview_runs.html",
            live=run_rows(runs.live),
            queued=runs.queued,
            recent=run_rows(each for each in runs.recent if each.status.final),
            ticks=tuple(tick_rows(runs.next_jobs, runs.read_at)),
        )

    def _is_old(self, server: str, known: "_Written", now: float) -> bool:
        """Tell whether a row is to be read anew: all for a page, and with each tick.

        Soon after an event, only those that it changed.
        """
        changed_at = self._changed.get(server)
        if changed_at is not None and changed_at >= known.read_at:
            return True
        # A tick is never quite TICK_S after the one before.
        by_event = now - self._event_at < 2 * HEALTH_S
        return not by_event or now - known.read_at >= TICK_S - HEALTH_S

    def _read(self, snapshot: ServerSnapshot, known: "_Written | None", now: float) -> "_Written":
        self.rows_read += 1
        row = server_row(snapshot, self._metrics_of(snapshot.name))
        if known is not None and known.row == row:
            return replace(known, read_at=now)
        return _Written(row, self._write(row), now)

    def _write(self, row: ServerRow) -> str:
        self.rows_written += 1
        return self._row.render(row=row).strip()

    def _metrics_of(self, server: str) -> ServerMetrics:
        now = self._monotonic()
        seen = self._seen_metrics.get(server)
        if seen is None or now - seen[0] >= METRICS_S:
            seen = self._seen_metrics[server] = (now, self._metrics(server))
        return seen[1]

    async def _read_runs(self) -> Runs:
        now = self._monotonic()
        if self._runs is None or now - self._runs[0] >= RUNS_S:
            self._runs = (now, await self._work.runs())
        return self._runs[1]

    async def _render(self, template: str, **shown: object) -> str:
        found = self._templates.get_template(template)
        return Markup(await found.render_async(**shown))  # noqa: S704 - our template, escaping on


def _warnings(snapshots: Sequence[ServerSnapshot]) -> Iterable[Warning]:
    """Yield what the servers themselves give reason to."""
    broken = [
        each for each in snapshots if each.state in (ServerState.QUARANTINED, ServerState.FAILED)
    ]
    if broken:
        names = _listed([each.name for each in broken])
        yield Warning(f"Servers that do not run: {names}.", f"/server/{broken[0].name}", "Look why")
    tools = [
        f"{found.tool} of {each.name}" for each in snapshots for found in each.quarantined_tools
    ]
    if tools:
        yield Warning(f"Quarantined tools: {_listed(tools)}.", "/approvals", "Look at them")


def _listed(names: Sequence[str]) -> str:
    """Return the first names, and how many there are besides."""
    shown = ", ".join(names[:SHOWN_NAMES])
    more = len(names) - SHOWN_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
