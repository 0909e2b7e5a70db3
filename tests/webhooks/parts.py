"""What the tests of deliveries share: a webhook, and a door that posts to it."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from gateway.auth.run_tokens import RunTokens
from gateway.domain.delivery import Delivery
from gateway.domain.run import Run, RunResult
from gateway.domain.webhook import Scheme, Webhook
from gateway.jobs.clock import SystemClock
from gateway.jobs.limits import RunLimits
from gateway.jobs.options import AgentConfig
from gateway.jobs.runner import Runner
from gateway.store import Store
from gateway.vault import KeySources, Vault
from gateway.webhooks.hooks import Hooks
from gateway.webhooks.intake import Intake
from gateway.webhooks.ledger import Ledger
from gateway.webhooks.limits import Senders
from gateway.webhooks.pipeline import Pipeline
from gateway.webhooks.schemes import new_secret, signing_headers
from supervisor.redaction import Redactor
from tests.databases import open_store
from tests.jobs.parts import Gate
from tests.waiting import PATIENCE_S

NOW = 1_790_000_000_000
GUARD_S = PATIENCE_S
MAX_QUEUED = 30
WEBHOOK = Webhook(
    id="webhook_1",
    name="ci",
    prompt_template="Build of {{payload.branch}} failed.",
    tools=("mcp__notes__add",),
    servers=(),
    enabled=True,
    created_at=1,
    updated_at=1,
    model="claude-test-model",
    max_turns=7,
    timeout_s=60.0,
    budget_micro_usd=5,
    rate_per_minute=0,
)
JSON = {"content-type": "application/json"}
Fields = Mapping[str, str] | list[tuple[str, str]]


class Answer(NamedTuple):
    """What a sender gets."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def run_id(self) -> str:
        """The run that the answer names."""
        return self.body["run_id"]


class Door:
    """Delivers to an intake as an HTTP server would, on a clock of its own."""

    def __init__(self, store: Store, vault: Vault, runner: Runner) -> None:
        self.now = NOW
        self.spent_until = 0
        """Of the budget of all runs."""
        self.store = store
        self.vault = vault
        self.runner = runner
        self.hooks = Hooks(
            store,
            vault,
            Redactor(),
            now_ms=lambda: self.now,
            own_url=lambda: "http://gateway.test",
        )
        self.ledger = Ledger(store, runner, lambda: self.now, self.seconds, max_queued=MAX_QUEUED)
        self.intake = self.make_intake()
        self.secret = ""

    def make_intake(self, *, sender_rate: int = 0) -> Intake:
        """Return an intake that takes this many deliveries a minute from one address."""
        pipeline = Pipeline(
            self.hooks,
            self.ledger,
            now_ms=lambda: self.now,
            senders=Senders(sender_rate, self.seconds),
            spent_until=lambda: self.spent_until,
        )
        return Intake(self.hooks, pipeline, self.store, self.runner)

    def seconds(self) -> float:
        """The virtual clock in seconds."""
        return self.now / 1000

    async def have(self, scheme: Scheme = Scheme.NONE, secret: str = "", **changes: Any) -> Webhook:
        """Make this the only webhook; its signing secret is `self.secret`."""
        await self.hooks.delete(WEBHOOK.id)
        self.secret = secret or ("" if scheme is Scheme.NONE else new_secret(scheme))
        webhook = replace(WEBHOOK, scheme=scheme, **changes)
        await self.hooks.add(webhook, self.secret or None)
        return webhook

    async def path(self) -> str:
        """The path of the webhook's address."""
        return f"/webhook/{await self.hooks.address_secret(WEBHOOK.id)}"

    def signed(self, scheme: Scheme, body: bytes, delivery_id: str = "msg_1") -> dict[str, str]:
        """Return the headers of a delivery that is signed now."""
        now_s = self.now // 1000
        signature = signing_headers(scheme, self.secret, body, delivery_id=delivery_id, now_s=now_s)
        return {**JSON, **signature}

    async def post(
        self,
        body: bytes = b"{}",
        headers: Fields = JSON,
        *,
        path: str | None = None,
        method: str = "POST",
        query: str = "",
        chunk: int = 65536,
        sender: str = "192.0.2.7",
        until: anyio.Event | None = None,
    ) -> Answer:
        """Send one request, its body after `until`, and return the answer."""
        parts = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if until is not None:
                await until.wait()
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = headers if isinstance(headers, list) else list(headers.items())
        scope = {
            "type": "http",
            "method": method,
            "path": await self.path() if path is None else path,
            "query_string": query.encode(),
            "client": (sender, 1),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
        }
        with anyio.fail_after(GUARD_S):
            await self.intake(scope, receive, send)
        start, end = sent
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], json.loads(end["body"]), named)

    async def runs(self) -> tuple[Run, ...]:
        """Return every run."""
        return await self.store.runs.list(limit=1000)

    async def next_run(self) -> Run:
        """Return the run that is claimed next, claimed."""
        with anyio.fail_after(GUARD_S):
            while (run := await self.store.runs.claim_next(self.now)) is None:
                await anyio.lowlevel.checkpoint()
        return run

    async def end(self, run: Run, result: RunResult) -> None:
        """End a claimed run, as the runner does."""
        await self.store.runs.finish(run.id, run.attempt, result, self.now)
        self.runner._announce(run.id)  # pyright: ignore[reportPrivateUsage] - this runner executes nothing

    async def log(self) -> tuple[Delivery, ...]:
        """Return the webhook's log, newest first, once all of it is written."""
        with anyio.fail_after(GUARD_S):
            while not self.ledger.idle:
                await anyio.lowlevel.checkpoint()
        return await self.store.deliveries.newest(WEBHOOK.id, 200)


def key_file(home: Path) -> Path:
    """Return where the master key of a home is: beside it."""
    return home.with_name(f"{home.name}.key")


@asynccontextmanager
async def open_door(folder: Path, *, fresh: bool = True) -> AsyncIterator[Door]:
    """Give a door to one webhook, or to those that are in `folder`; its runner executes nothing."""
    async with open_store(folder / "jobs.db") as store:
        vault = await Vault.open(KeySources(key_file(folder)), store.data_keys)
        async with Runner(
            store=store,
            home=folder,
            clock=SystemClock(),
            agent=AgentConfig(None, "claude-test-model"),
            gate=Gate(),
            run_tokens=RunTokens(),
            limits=RunLimits(0),
        ) as runner:
            door = Door(store, vault, runner)
            async with anyio.create_task_group() as group:
                group.start_soon(door.ledger.run)
                await (door.have() if fresh else door.hooks.load())
                yield door
                group.cancel_scope.cancel()
