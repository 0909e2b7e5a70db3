"""The pages for webhooks over a real store, vault and intake; nothing runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from quart import typing as quart_typing

from gateway.dashboard.live import Live
from gateway.domain.clock import utc_ms
from gateway.jobs.day_budgets import DayBudgets
from gateway.settings import load
from gateway.webhook_pages.pages import WebhookPages
from gateway.webhooks.desk import Desk
from gateway.webhooks.fire import Fire
from gateway.webhooks.limits import Senders
from gateway.webhooks.opening import Webhooks
from gateway.webhooks.pipeline import Pipeline
from gateway.webhooks.sending import Sending
from tests.dashboard.parts import Shown, sign_in
from tests.webhooks.parts import Door, open_door

LIVE = {"notes": ["add", "list"], "mail": ["send"]}


@dataclass
class Pages:
    """A dashboard with the pages, the owner's client, and the door of the webhooks."""

    shown: Shown
    owner: quart_typing.TestClientProtocol
    door: Door


def pages_over(door: Door, home: Path) -> Shown:
    """Return a dashboard that has the pages."""
    settings = load({"CLAUDE_RUNNER_HOME": str(home), "DEFAULT_TIMEZONE": "UTC"}, None)
    senders = Senders(0, door.seconds)
    days = DayBudgets(door.store, lambda: door.now)
    pipeline = Pipeline(
        door.hooks,
        door.ledger,
        now_ms=lambda: door.now,
        senders=senders,
        spent_until=lambda: days.spent_until,
    )
    webhooks = Webhooks(
        door.hooks,
        Desk(settings, door.store, door.hooks, door.runner, lambda: LIVE),
        Sending(door.store, door.hooks, pipeline, days),
        door.intake,
        Fire(door.store, door.runner, senders, days, now_ms=utc_ms, own_url=lambda: ""),
    )
    followed = Live(door.seconds)
    return Shown(
        followed=followed,
        further=lambda browser: (
            WebhookPages(
                browser, settings, door.store, webhooks, lambda: LIVE, followed
            ).blueprint(),
        ),
    )


@pytest.fixture(scope="module")
async def pages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pages]:
    """One store for all tests of a module; each makes the webhook that it needs."""
    home = tmp_path_factory.mktemp("pages")
    async with open_door(home) as door:
        door.now = utc_ms()
        shown = pages_over(door, home)
        yield Pages(shown, await sign_in(shown), door)
