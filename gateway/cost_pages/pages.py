"""``/costs``: what runs cost in the last days, added up as the owner asks."""

from collections.abc import Callable

from quart import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest

from gateway.budgets.report import MAX_DAYS, CostReport, CostRow
from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.dashboard.seen import Seen
from gateway.domain.budget import CostGroup
from gateway.store import Store

DAYS = 30
GROUPS = tuple((each.value, each.value) for each in CostGroup)
OF_TOKENS = ("Requests", "Input", "Output", "Cache read", "Cache written")
OF_SERVERS = ("Runs", "Calls")


class CostPages:
    """The handler, with what it needs."""

    def __init__(
        self,
        browser: Browser,
        store: Store,
        report: CostReport,
        now_ms: Callable[[], int],
        live: Live,
    ) -> None:
        self._browser = browser
        self._store = store
        self._report = report
        self._now_ms = now_ms
        self._live = live
        self._seen = Seen("costs-seen", self._newest)

    def blueprint(self) -> Blueprint:
        """Return the route; it wants a session."""
        pages = Blueprint("costs", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.record(lambda made: self._seen.register(self._live, made.app.jinja_env))
        pages.get("/costs")(self.show)
        return pages

    async def show(self) -> str:
        """The sums, the dearest first, or the newest day."""
        by, days = _group(), _days()
        owner = request.args.get("of", "").strip() or None
        costs = await self._report.read(by, days, owner, now=self._now_ms())
        jobs = {each.id: each.name for each in await self._store.jobs.all()}
        hooks = {each.id: each.name for each in await self._store.webhooks.all()}
        by_server = by is CostGroup.SERVER
        return await render_template(
            "costs.html",
            costs=costs,
            rows=[(_name(row, by, {**jobs, **hooks}), row) for row in costs.rows],
            by=by.value,
            groups=GROUPS,
            days=days,
            max_days=MAX_DAYS,
            of=owner or "",
            owners=(("", "all runs"), *jobs.items(), *hooks.items()),
            heads=list(OF_SERVERS if by_server else OF_TOKENS),
            counts=_of_server if by_server else _of_tokens,
            followed=await self._seen.name(owner or ""),
        )

    async def _newest(self, owner: str) -> object:
        """Return what today's runs cost, of one job or webhook or of all."""
        return await self._report.read(CostGroup.DAY, 1, owner or None, now=self._now_ms())

    async def _require_session(self) -> None:
        self._browser.require_session()


def _group() -> CostGroup:
    try:
        return CostGroup(request.args.get("by") or CostGroup.DAY)
    except ValueError as error:
        raise BadRequest("Costs are added up by day, job, webhook, model or server.") from error


def _days() -> int:
    text = request.args.get("days") or str(DAYS)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_DAYS:
        raise BadRequest(f"The number of days should be from 1 to {MAX_DAYS}.")
    return int(text)


def _name(row: CostRow, by: CostGroup, names: dict[str, str]) -> str:
    if by in (CostGroup.JOB, CostGroup.WEBHOOK):
        return names.get(row.name, row.name) or "of no job"
    return row.name


def _of_tokens(row: CostRow) -> tuple[int | None, ...]:
    return (
        row.requests,
        row.input_tokens,
        row.output_tokens,
        row.cache_read_tokens,
        row.cache_write_tokens,
    )


def _of_server(row: CostRow) -> tuple[int | None, ...]:
    return (row.runs, row.calls)
