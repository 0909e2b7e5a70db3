"""Deliveries to a webhook's address."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from gateway.auth.run_tokens import RunTokens
from gateway.domain.network import NONE
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.domain.secret import DataKey, Sealed
from gateway.domain.webhook import Webhook
from gateway.jobs.clock import SystemClock
from gateway.jobs.limits import RunLimits
from gateway.jobs.options import AgentConfig
from gateway.jobs.runner import Runner
from gateway.store import Store
from gateway.webhooks import build_intake
from gateway.webhooks.intake import MAX_BODY_BYTES, Intake
from tests.jobs.parts import Gate

NOW = 1_790_000_000_000
SECRET = "s" * 43
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
)


class Answer(NamedTuple):
    """What a sender gets."""

    status: int
    body: dict[str, str]
    headers: dict[str, str]


class Door:
    """Delivers to an intake as Hypercorn would."""

    def __init__(self, intake: Intake, store: Store) -> None:
        self.intake = intake
        self.store = store

    async def post(
        self,
        body: bytes = b"{}",
        *,
        path: str = f"/webhook/{SECRET}",
        method: str = "POST",
        headers: dict[str, str] | None = None,
        chunk: int = 65536,
    ) -> Answer:
        """Send one request and return the answer."""
        parts = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        fields = {"content-type": "application/json", **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        }
        with anyio.fail_after(5):
            await self.intake(scope, receive, send)
        start, end = sent
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], json.loads(end["body"]), named)

    async def runs(self) -> tuple[Run, ...]:
        """Return every run."""
        return await self.store.runs.list()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """An intake with one webhook; its runner executes nothing."""
    secret_hash = hashlib.sha256(SECRET.encode()).hexdigest()
    async with Store.open(None, path=tmp_path / "jobs.db") as store:
        key = Sealed("key_1", b"sealed")
        await store.data_keys.add(DataKey(key.key_id, b"wrapped", 1))
        await store.webhooks.add(WEBHOOK, secret_hash=secret_hash, sealed_secret=key)
        async with Runner(
            store=store,
            home=tmp_path,
            clock=SystemClock(),
            agent=AgentConfig(None, "claude-test-model"),
            gate=Gate(),
            run_tokens=RunTokens(),
            limits=RunLimits(0),
        ) as runner:
            yield Door(build_intake(store, runner, lambda: NOW), store)


async def test_delivery_queues_a_run_and_says_which(door: Door):
    """Issue 2: 202 with the run's id; the run has the webhook's limits and tools."""
    answer = await door.post(b'{"branch": "main"}')
    (run,) = await door.runs()
    assert (answer.status, answer.body) == (202, {"run_id": run.id})
    assert run == Run(
        id=run.id,
        trigger=Trigger.WEBHOOK,
        status=RunStatus.QUEUED,
        prompt=run.prompt,
        tools=WEBHOOK.tools,
        servers=(),
        created_at=NOW,
        webhook_id=WEBHOOK.id,
        model="claude-test-model",
        max_turns=7,
        timeout_s=60.0,
        budget_micro_usd=5,
        network=NONE,
    )
    assert ">main</payload-" in run.prompt
    webhook = await door.store.webhooks.get(WEBHOOK.id)
    assert webhook == replace(WEBHOOK, deliveries=1, last_delivery_at=NOW)


async def test_plain_text_and_nothing_are_payloads_too(door: Door):
    """Ours: a sender that does not claim JSON may post any text."""
    plain = {"content-type": "text/plain"}
    await door.store.webhooks.update(replace(WEBHOOK, prompt_template="Got {{payload}}."))
    for body in (b"just words", b""):
        assert (await door.post(body, headers=plain)).status == 202
    prompts = [run.prompt for run in await door.runs()]
    assert any(">just words</payload-" in prompt for prompt in prompts)
    assert any("></payload-" in prompt for prompt in prompts)


@pytest.mark.parametrize(
    "path",
    [
        f"/webhook/{'x' * 43}", "/webhook/", "/webhook", "/webhook/short", f"/webhook/{SECRET}/",
        "/webhook/../../etc/passwd" + "a" * 20, f"/webhook/{'x' * 5000}", f"/webhook/{SECRET}\n",
    ],
)  # fmt: skip
async def test_unknown_address_is_not_found(door: Door, path: str):
    """Ours: one answer for everything that is no webhook."""
    answer = await door.post(path=path)
    assert (answer.status, answer.body) == (404, {"error": "There is no such webhook."})
    assert await door.runs() == ()


async def test_switched_off_webhook_is_not_found(door: Door):
    """Ours: the same answer as for an unknown one."""
    await door.store.webhooks.update(replace(WEBHOOK, enabled=False))
    assert (await door.post()).status == 404
    assert await door.runs() == ()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_only_post_delivers(door: Door, method: str):
    """Ours: a link preview starts no run."""
    answer = await door.post(method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert await door.runs() == ()


@pytest.mark.parametrize("declared", [True, False])
async def test_oversize_body_is_refused(door: Door, declared: bool):
    """Issue 2: one byte over 1 MB is 413, declared or chunked."""
    body = b'"' + b"x" * (MAX_BODY_BYTES - 1) + b'"'
    headers = {"content-length": str(len(body))} if declared else {}
    answer = await door.post(body, headers=headers)
    assert (answer.status, answer.body) == (
        413,
        {"error": "A payload has at most 1048576 bytes."},
    )
    assert (await door.post(body[:1] + body[2:])).status == 202
    assert len(await door.runs()) == 1


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "The body is not valid JSON: Expecting property name enclosed in double quotes:"
               " line 1 column 2."),
        (b'{"a": NaN}', "The body is not valid JSON: NaN is no JSON value."),
        (b"\xff\xfe", "The body is not UTF-8 text."),
        (b"[" * 200_000, "The body is not valid JSON: it is nested too deeply."),
    ],
)  # fmt: skip
async def test_bad_json_is_refused_in_one_sentence(door: Door, body: bytes, sentence: str):
    """Ours: what is wrong with it; no run, no 500."""
    answer = await door.post(body)
    assert (answer.status, answer.body) == (400, {"error": sentence})
    assert await door.runs() == ()
