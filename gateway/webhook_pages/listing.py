"""``/webhooks``: every webhook, without addresses; a live fragment."""

from collections import Counter
from collections.abc import Callable

from jinja2 import Environment
from quart import render_template

from gateway.budgets.days import day_begins, day_of
from gateway.dashboard.live import Live
from gateway.domain.budget import CostGroup
from gateway.store import Store
from gateway.webhook_pages.rows import WebhookRow, webhook_row

FRAGMENT = "webhook-list"


class WebhookList:
    """The handler, with what it needs."""

    def __init__(self, store: Store, zone: str, now_ms: Callable[[], int]) -> None:
        """`zone`: where days begin."""
        self._store = store
        self._zone = zone
        self._now_ms = now_ms

    def register(self, live: Live, templates: Environment) -> None:
        """Have open pages follow what happens."""
        template = templates.get_template("webhook_list.html")

        async def render(_: str) -> str:
            return await template.render_async(rows=await self._rows())

        live.register(FRAGMENT, render, ticks=True)

    async def index(self) -> str:
        """The page."""
        return await render_template("webhooks.html", followed=FRAGMENT)

    async def _rows(self) -> list[WebhookRow]:
        now = self._now_ms()
        counts = await self._store.deliveries.counts(day_begins(now, self._zone))
        today = day_of(now, self._zone).name
        lines = await self._store.cost_history.lines(CostGroup.WEBHOOK, today)
        costs = {line.name: line.tokens.cost_micro_usd for line in lines}
        return [
            webhook_row(each, counts.get(each.id, Counter()), costs.get(each.id, 0), now)
            for each in await self._store.webhooks.all()
        ]
