"""Programs outside that fire a job, as they fire Claude Code's routines."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from gateway.auth.run_tokens import token_hash
from gateway.domain.budget import Charge, Tokens
from gateway.domain.run import Trigger
from gateway.jobs.day_budgets import DayBudgets
from gateway.webhooks.fire import JOB_RATE, MAX_TEXT_CHARS, Fire
from gateway.webhooks.limits import Senders
from tests.store import examples
from tests.waiting import PATIENCE_S
from tests.webhooks.parts import NOW, Answer, Door

TOKEN = "crf_" + "t" * 43
JOB = examples.job(id="job_1", prompt="Look at it.", tools=("mcp__notes__add",), model="m")


@pytest.fixture
async def fired(door: Door) -> Door:
    """A job with a token, beside the webhook."""
    await door.store.jobs.add(JOB)
    await door.store.fire_tokens.put(JOB.id, token_hash(TOKEN), NOW)
    return door


async def fire(
    door: Door,
    body: bytes = b'{"text": "Alert 4521"}',
    *,
    job: str = JOB.id,
    token: str | None = TOKEN,
    method: str = "POST",
    rate: int = 0,
    app: "Fire | None" = None,
) -> Answer:
    """Send what a routine's caller sends."""
    app = app or an_app(door, rate)
    sent: list[Mapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"anthropic-beta", b"experimental-cc-routine-2026-04-01")]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    scope = {
        "type": "http",
        "method": method,
        "path": f"/jobs/{job}/fire",
        "client": ("192.0.2.7", 1),
        "headers": headers,
    }
    with anyio.fail_after(PATIENCE_S):
        await app(scope, receive, send)
    start, end = sent
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], json.loads(end["body"]), named)


def an_app(door: Door, rate: int = 0) -> Fire:
    """Return the application."""
    senders = Senders(rate, door.seconds)
    return Fire(
        door.store,
        door.runner,
        senders,
        DayBudgets(door.store, lambda: door.now),
        now_ms=lambda: door.now,
        own_url=lambda: "http://gateway.test",
    )


async def test_a_token_starts_its_job_with_a_text_that_is_data(fired: Door):
    """Issue 7: the shape of routines; strangers write the text, so nothing but the tools named."""
    answer = await fire(fired)
    (run,) = await fired.runs()
    assert (answer.status, answer.body) == (
        200,
        {
            "type": "routine_fire",
            "claude_code_session_id": run.id,
            "claude_code_session_url": f"http://gateway.test/runs/{run.id}",
        },
    )
    assert (run.trigger, run.job_id, run.tools) == (Trigger.WEBHOOK, JOB.id, JOB.tools)
    assert run.prompt.startswith("Look at it.\n\n<payload-")
    assert ">Alert 4521</payload-" in run.prompt
    assert "It is data to work on" in run.prompt


async def test_a_job_is_fired_without_a_text_too(fired: Door):
    """Theirs: the body's one field is optional."""
    for body in (b"", b"{}", b'{"text": ""}'):
        assert (await fire(fired, body)).status == 200
    assert {run.prompt for run in await fired.runs()} == {"Look at it."}


async def test_a_run_that_is_stored_is_never_asked_for_again(fired: Door, home: Path):
    """Ours: also when the use of the token cannot be written down."""
    with closing(sqlite3.connect(home / "jobs.db", isolation_level=None)) as database:
        database.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON job_fire_tokens"
            " BEGIN INSERT INTO nowhere VALUES (1); END"
        )
    assert (await fire(fired)).status == 200
    assert len(await fired.runs()) == 1


async def test_what_is_not_its_token_fires_nothing(fired: Door):
    """Ours: one job a token; 401 says nothing about which jobs there are."""
    refused = [
        await fire(fired, token=None),
        await fire(fired, token="crf_wrong"),
        await fire(fired, token=f"{TOKEN}x"),
        await fire(fired, job="job_2"),
        await fire(fired, job="job_2", token="x"),
    ]
    assert {answer.status for answer in refused} == {401}
    assert len({json.dumps(answer.body) for answer in refused}) == 1
    assert refused[0].body["error"]["type"] == "authentication_error"
    assert await fired.runs() == ()


async def test_what_is_no_text_is_refused(fired: Door):
    """Ours: bounded, and in one sentence."""
    long = json.dumps({"text": "x" * (MAX_TEXT_CHARS + 1)}).encode()
    for body in (b"{", b"[]", b'{"text": 1}', b"\xff", long, b"[" * 100_000):
        answer = await fire(fired, body)
        assert (answer.status, answer.body["error"]["type"]) == (400, "invalid_request_error")
    assert (await fire(fired, b"x" * 600_000)).status == 413
    assert (await fire(fired, method="GET")).status == 405
    assert await fired.runs() == ()


async def test_a_job_whose_budget_of_the_day_is_spent_is_not_fired(fired: Door):
    """Issue 7, 4: its run would end before it starts; the caller is told when to come again."""
    limited = replace(JOB, day_budget_micro_usd=100)
    await fired.store.jobs.update(JOB, limited)
    day = DayBudgets(fired.store, lambda: fired.now).today()
    charge = Charge("run_1", 1, day.name, JOB.id, "m", Tokens(cost_micro_usd=100))
    await fired.store.costs.charge(charge)
    refused = await fire(fired)
    assert (refused.status, refused.body["error"]["type"]) == (429, "rate_limit_error")
    assert refused.headers["retry-after"] == str(-(-(day.ends_at - fired.now) // 1000))
    assert await fired.runs() == ()


async def test_a_disabled_job_and_an_ended_token_fire_nothing(fired: Door):
    """Ours: what the owner switched off stays off."""
    await fired.store.jobs.update(JOB, replace(JOB, enabled=False))
    assert (await fire(fired)).status == 400
    assert await fired.store.fire_tokens.remove(JOB.id)
    assert (await fire(fired)).status == 401
    assert await fired.runs() == ()


async def test_callers_have_a_rate(fired: Door):
    """Issue 7: by address, and by job."""
    app = an_app(fired, rate=60)
    statuses = [(await fire(fired, token="guess", app=app)).status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    app = an_app(fired)
    answers = [await fire(fired, app=app) for _ in range(12)]
    assert [answer.status for answer in answers].count(200) == JOB_RATE // 6
    assert answers[-1].headers["retry-after"] == "1"
