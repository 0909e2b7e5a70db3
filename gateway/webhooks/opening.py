"""Opens the webhooks of a gateway by its settings."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from gateway.domain.clock import utc_ms
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.runner import Runner
from gateway.relay.http import Receive, Scope, Send
from gateway.settings import Settings
from gateway.store import Store
from gateway.tool_names import Live
from gateway.vault import Vault
from gateway.webhooks.desk import Desk
from gateway.webhooks.fire import Fire
from gateway.webhooks.hooks import Hooks
from gateway.webhooks.intake import Intake
from gateway.webhooks.ledger import Ledger
from gateway.webhooks.limits import Senders
from gateway.webhooks.pipeline import Pipeline
from gateway.webhooks.sending import Sending
from supervisor.redaction import Redactor


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The parts of this room that others use."""

    hooks: Hooks
    desk: Desk
    sending: Sending
    intake: Intake
    fire: Fire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what comes to ``/webhook/...`` and ``/jobs/<id>/fire``; an ASGI application."""
        room = self.intake if scope["path"].startswith("/webhook") else self.fire
        await room(scope, receive, send)


@asynccontextmanager
async def open_webhooks(
    settings: Settings,
    store: Store,
    vault: Vault,
    runner: Runner,
    own_url: Callable[[], str],
    redactor: Redactor,
    days: DayBudgets,
    live: Callable[[], Live],
) -> AsyncGenerator[Webhooks]:
    """Take deliveries until the body ends. Raises StoreError.

    `days` will have webhooks paused whose budget is spent. `own_url` returns where senders reach
    the gateway, when nothing else is set;
    `live` the servers with the tools that they show now.
    """
    hooks = Hooks(store, vault, redactor, now_ms=utc_ms, own_url=own_url)
    await hooks.load()
    days.pause_webhook = hooks.pause_until
    ledger = Ledger(store, runner, utc_ms, time.monotonic)
    senders = Senders(settings.webhook_sender_rate, time.monotonic)
    pipeline = Pipeline(
        hooks,
        ledger,
        now_ms=utc_ms,
        senders=senders,
        spent_until=lambda: days.spent_until,
    )
    fire = Fire(store, runner, senders, days, now_ms=utc_ms, own_url=own_url)
    async with anyio.create_task_group() as group:
        group.start_soon(ledger.run)
        yield Webhooks(
            hooks,
            Desk(settings, store, hooks, runner, live),
            Sending(store, hooks, pipeline, days),
            Intake(hooks, pipeline, store, runner),
            fire,
        )
        group.cancel_scope.cancel()
