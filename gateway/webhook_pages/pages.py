"""``/webhooks``: all of them, and one with its address, its log and trials."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from quart import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from gateway.budgets.days import day_begins, day_of, days_before
from gateway.dashboard.browser import Browser
from gateway.dashboard.cost_chart import DAYS, cost_chart
from gateway.dashboard.fields import read_values
from gateway.dashboard.live import Live as Fragments
from gateway.dashboard.views import money
from gateway.domain.budget import CostGroup
from gateway.domain.clock import utc_ms
from gateway.domain.webhook import DAY_S, Webhook
from gateway.settings import Settings
from gateway.store import Store
from gateway.tool_names import Live
from gateway.vault import SealBroken
from gateway.webhook_pages.form import SCHEMES
from gateway.webhook_pages.listing import WebhookList
from gateway.webhook_pages.log import DeliveryLog, fragment_of
from gateway.webhook_pages.once import ShownOnce
from gateway.webhook_pages.rows import facts_of, webhook_row
from gateway.webhook_pages.writing import WritingPages
from gateway.webhooks import Webhooks
from gateway.webhooks.curl import curl_of
from gateway.webhooks.errors import NoSuchDelivery, NoSuchWebhook
from gateway.webhooks.given import Given
from gateway.webhooks.refusal import Refused
from gateway.webhooks.remarks import tools_sentence, warnings_of
from gateway.webhooks.sending import Tried

WEEK = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """What one answer shows besides the webhook as it is."""

    url: str | None = None
    """The address, for whoever asked for it."""
    tried: Tried | None = None
    payload: str = "{}"
    problem: str = ""
    problems: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the form for the signing secret."""


class WebhookPages:
    """The handlers, with what they need."""

    def __init__(
        self,
        browser: Browser,
        settings: Settings,
        store: Store,
        webhooks: Webhooks,
        live: Callable[[], Live],
        follow: Fragments,
    ) -> None:
        """`live` returns the servers with the tools that they show now.

        `follow` takes the fragments that open pages keep current.
        """
        self._browser = browser
        self._settings = settings
        self._store = store
        self._webhooks = webhooks
        self._live = live
        self._follow = follow
        self._log = DeliveryLog(webhooks.sending)
        self._once = ShownOnce()

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("webhooks", __name__, template_folder="templates")
        webhooks = WebhookList(self._store, self._settings.default_timezone, utc_ms)
        pages.before_request(self._require_session)
        pages.register_error_handler(NoSuchWebhook, _not_there)
        pages.register_error_handler(SealBroken, _sealed)
        pages.record(lambda made: webhooks.register(self._follow, made.app.jinja_env))
        pages.record(lambda made: self._log.register(self._follow, made.app.jinja_env))
        pages.get("/webhooks")(webhooks.index)
        pages.get("/webhooks/<webhook_id>")(self.show)
        pages.post("/webhooks/<webhook_id>/address")(self.reveal)
        pages.post("/webhooks/<webhook_id>/switch")(self.switch)
        pages.post("/webhooks/<webhook_id>/test")(self.test)
        pages.post("/webhooks/<webhook_id>/replay")(self.replay)
        WritingPages(
            self._browser,
            self._settings,
            self._webhooks,
            self._live,
            self._once,
            lambda webhook_id, problems: self._page(webhook_id, Further(problems=problems)),
        ).add_to(pages)
        return pages

    async def show(self, webhook_id: str) -> str:
        """One webhook, without its address."""
        return await self._page(webhook_id)

    async def reveal(self, webhook_id: str) -> str:
        """One webhook with its address; a POST, so that it leaves an entry in the audit log."""
        url = await self._webhooks.desk.url(webhook_id)
        return await self._page(webhook_id, Further(url=url))

    async def switch(self, webhook_id: str) -> Response:
        """Switch a webhook off, or on, which ends a pause."""
        do = (await read_values()).get("do")
        if do not in ("on", "off"):
            raise BadRequest("The form does not say what to do.")
        await self._webhooks.desk.change(webhook_id, Given(enabled=do == "on"))
        return _to(webhook_id)

    async def test(self, webhook_id: str) -> str | Response:
        """Show the prompt that a payload would make, or start a run with it."""
        values = await read_values()
        text = values.get("payload", "")
        start_run = values.get("do") == "start"
        tried = await self._webhooks.sending.try_out(
            webhook_id, _payload(text), start_run=start_run
        )
        if tried.run_id is not None:
            return redirect(f"/runs/{tried.run_id}", HTTPStatus.SEE_OTHER)
        return await self._page(webhook_id, Further(tried=tried, payload=text))

    async def replay(self, webhook_id: str) -> str | Response:
        """Start a run from an earlier delivery."""
        delivery = (await read_values()).get("delivery", "")
        try:
            run_id = await self._webhooks.sending.replay(delivery)
        except (NoSuchDelivery, Refused) as error:
            return await self._page(webhook_id, Further(problem=str(error)))
        return redirect(f"/runs/{run_id}", HTTPStatus.SEE_OTHER)

    async def _page(self, webhook_id: str, further: Further | None = None) -> str:
        """Return the page of a webhook. Raises NoSuchWebhook."""
        further = further or Further()
        webhook = await self._webhooks.desk.get(webhook_id)
        before = request.args.get("before")
        now, zone = utc_ms(), self._settings.default_timezone
        today = day_of(now, zone).name
        days = await self._costs(webhook, today)
        counts = await self._store.deliveries.counts(day_begins(now, zone))
        row = webhook_row(webhook, counts.get(webhook.id, Counter()), days.get(today, 0), now)
        doubts = self._webhooks.desk.doubts(webhook)
        return await render_template(
            "webhook.html",
            webhook=webhook,
            row=row,
            facts=facts_of(webhook, row),
            chart=cost_chart(days, today),
            week=money(sum(days.get(days_before(today, back), 0) for back in range(WEEK))),
            remarks=[*warnings_of(webhook, utc_ms()), tools_sentence(webhook), *doubts],
            further=further,
            problems=further.problems,
            curl=curl_of(webhook.scheme, further.url),
            secret=self._once.take(self._browser.session_id(), webhook_id),
            schemes=SCHEMES,
            day_s=DAY_S,
            followed=fragment_of(webhook_id) if before is None else None,
            log=None if before is None else await self._log.read(webhook_id, before),
        )

    async def _costs(self, webhook: Webhook, today: str) -> dict[str, int]:
        """Return micro-dollars by day."""
        since = days_before(today, DAYS - 1)
        lines = await self._store.cost_history.lines(CostGroup.DAY, since, webhook.id)
        return {line.name: line.tokens.cost_micro_usd for line in lines}

    async def _require_session(self) -> None:
        self._browser.require_session()


def _payload(text: str) -> object:
    """Return what is posted: JSON where it is JSON, else the text as it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _to(webhook_id: str) -> Response:
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), HTTPStatus.SEE_OTHER)


async def _not_there(error: Exception) -> tuple[str, HTTPStatus]:
    sentence = "There is no such webhook; the list has those that there are."
    page = await render_template("message.html", title="Not found", sentence=sentence)
    return page, HTTPStatus.NOT_FOUND


async def _sealed(error: Exception) -> tuple[str, HTTPStatus]:
    page = await render_template("message.html", title="Not readable", sentence=str(error))
    return page, HTTPStatus.SERVICE_UNAVAILABLE
