"""``/runs``: runs by job, webhook, state and time, newest first, a page at a time.

The newest page is a live fragment, named after its filters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment
from quart import render_template, request
from werkzeug.exceptions import BadRequest

from gateway.audit.views import BadWish
from gateway.budgets.days import day_of, days_before
from gateway.dashboard.live import MAX_NAME_CHARACTERS, Live, full_name
from gateway.dashboard.views import RunRow, money, run_rows
from gateway.domain.budget import CostGroup
from gateway.domain.run import Run, RunStatus, RunWish
from gateway.run_export.rows import cursor_of, read_run_wish
from gateway.store import Store

PAGE_RUNS = 50
DAYS = 7
CHOICES = 500
"""Jobs, and webhooks, that a filter offers; of others the address may name the id."""
FILTERS = ("job", "webhook", "status", "since", "until")
FRAGMENT = "run-list"

Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the list."""

    row: RunRow
    owner: str
    """Name of its job or webhook."""
    owner_path: str
    """Of that one's page; empty: there is none of it any more."""
    final: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list."""

    lines: tuple[Line, ...]
    older: str
    """Address of the next page; empty: there is none."""
    costs: tuple[tuple[str, str], ...]
    filtered: bool


class RunHistory:
    """The handler, with what it needs."""

    def __init__(self, store: Store, zone: str, now_ms: Callable[[], int]) -> None:
        """`zone`: where days begin."""
        self._store = store
        self._zone = zone
        self._now_ms = now_ms

    def register(self, live: Live, templates: Environment) -> None:
        """Have newest pages follow what happens."""
        template = templates.get_template("run_list.html")

        async def render(query: str) -> str:
            asked = dict(parse_qsl(query))
            try:
                wish = self._read(asked)
            except BadWish as error:
                return str(error)
            return await template.render_async(listed=await self._listed(asked, wish))

        live.register(FRAGMENT, render, ticks=True)

    async def index(self) -> str:
        """A page of runs, what they cost lately, and filters."""
        filters = {name: request.args.get(name, "").strip() for name in FILTERS}
        asked = {name: text for name, text in filters.items() if text}
        try:
            wish = self._read(request.args.to_dict())
        except BadWish as error:
            raise BadRequest(str(error)) from error
        followed = full_name(FRAGMENT, urlencode(asked))
        is_live = wish.after is None and len(followed) <= MAX_NAME_CHARACTERS
        return await render_template(
            "runs.html",
            followed=followed if is_live else None,
            listed=None if is_live else await self._listed(asked, wish),
            newest=wish.after is None,
            filters=filters,
            asked=asked,
            jobs=_offered(await self._jobs(), wish.job_id),
            webhooks=_offered(await self._webhooks(), wish.webhook_id),
            statuses=(("", "any"), *((each.value, each.value) for each in RunStatus)),
        )

    def _read(self, asked: Mapping[str, str]) -> RunWish:
        """Return the page that is asked for. Raises BadWish."""
        return replace(read_run_wish(asked, self._now_ms()), limit=PAGE_RUNS + 1)

    async def _listed(self, asked: Mapping[str, str], wish: RunWish) -> Listed:
        found = await self._store.run_history.newest(wish)
        shown = found[:PAGE_RUNS]
        names = dict((*await self._jobs(), *await self._webhooks()))
        after = {"after": cursor_of(shown[-1])} if len(found) > len(shown) else None
        return Listed(
            lines=tuple(_line(run, names) for run in shown),
            older=f"/runs?{urlencode({**asked, **after})}" if after else "",
            costs=await self._costs(wish.job_id or wish.webhook_id),
            filtered=bool(asked),
        )

    async def _jobs(self) -> Choices:
        return tuple((each.id, each.name) for each in await self._store.jobs.all())

    async def _webhooks(self) -> Choices:
        return tuple((each.id, each.name) for each in await self._store.webhooks.all())

    async def _costs(self, owner: str | None) -> tuple[tuple[str, str], ...]:
        """Return what runs cost today and in the last days, of one job or webhook or of all."""
        today = day_of(self._now_ms(), self._zone).name
        since = days_before(today, DAYS - 1)
        days = await self._store.cost_history.lines(CostGroup.DAY, since, owner)
        by_day = {line.name: line.tokens.cost_micro_usd for line in days}
        return (
            ("Today", money(by_day.get(today, 0))),
            (f"Last {DAYS} days", money(sum(by_day.values()))),
        )


def _line(run: Run, names: Mapping[str, str]) -> Line:
    owner = run.job_id or run.webhook_id or ""
    (row,) = run_rows([run])
    path = f"/jobs/{owner}" if run.job_id else f"/webhooks/{owner}"
    return Line(row, names.get(owner, owner), path if owner in names else "", run.status.final)


def _offered(owners: Choices, chosen: str | None) -> Choices:
    """Return what a filter offers: any, the chosen one, and others."""
    offered = owners[:CHOICES]
    extra = ((chosen, chosen),) if chosen and chosen not in dict(offered) else ()
    return (("", "any"), *extra, *offered)
