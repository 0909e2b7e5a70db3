"""``POST /jobs/<id>/fire``: a caller outside starts a job, in the shape of Claude Code's routines.

Source: Claude's documentation, "Trigger a routine through the API". A token opens one job and reads
nothing. The text that comes along is data for the job's prompt, and the run has the tools that the
job names and no others.
"""

import json
import logging
import math
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any, cast

import anyio

from gateway.auth.run_tokens import token_hash
from gateway.domain.job import Job
from gateway.domain.run import Run, Trigger, run_of_job
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.errors import JobError
from gateway.jobs.runner import Runner
from gateway.jobs.template import as_data
from gateway.relay.http import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    read_body,
    send_body,
)
from gateway.store import Store, StoreError
from gateway.webhooks.limits import Buckets, Senders
from gateway.webhooks.runs import new_marker

log = logging.getLogger(__name__)

PREFIX = "crf_"
TOKEN_BYTES = 32
MAX_BODY_BYTES = 512 * 1024
MAX_TEXT_CHARS = 65_536
BODY_TIMEOUT_S = 10.0
JOB_RATE = 60
"""Runs a minute that callers may start of one job."""
_PATH = re.compile(r"/jobs/([\w-]{1,64})/fire")
_KINDS = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded_error",
}


class NotFired(Exception):
    """A call that starts nothing: a status and one sentence."""

    def __init__(self, status: HTTPStatus, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class Fire:
    """The ASGI application behind every job's fire address."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        senders: Senders,
        days: DayBudgets,
        *,
        now_ms: Callable[[], int],
        own_url: Callable[[], str],
    ) -> None:
        """`days`: budgets that a run must fit into; `own_url` returns where the pages are."""
        self._store = store
        self._runner = runner
        self._senders = senders
        self._days = days
        self._jobs = Buckets()
        self._now_ms = now_ms
        self._own_url = own_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[str, str] = {}
        try:
            run = await self._fire(scope, receive)
            status, answer = HTTPStatus.OK, _fired(run, self._own_url())
        except ClientGone:
            return
        except NotFired as refusal:
            status, headers = refusal.status, refusal.headers
            answer = _error(status, str(refusal))
        except (StoreError, JobError) as error:
            log.error("A job could not be fired: %s", error)
            status, headers = HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "5"}
            answer = _error(status, "The run could not be stored; try again later.")
        fields = {name.encode(): value.encode() for name, value in headers.items()}
        await send_body(send, status, json.dumps(answer).encode(), headers=fields)

    async def _fire(self, scope: Scope, receive: Receive) -> Run:
        if scope["method"] != "POST":
            raise NotFired(HTTPStatus.METHOD_NOT_ALLOWED, "A job is fired with POST.", allow="POST")
        _check_wait(self._senders.take(scope))
        job = await self._job(scope)
        _check_wait(self._jobs.take(job.id, JOB_RATE, self._senders.monotonic()))
        text = _text(await _body(receive))
        if not job.enabled:
            raise NotFired(HTTPStatus.BAD_REQUEST, "The job is disabled; its owner can enable it.")
        await self._check_budget(job)
        run = run_of_job(job, trigger=Trigger.WEBHOOK, now=self._now_ms())
        run = await self._runner.submit(_with(run, text))
        await self._note_use(run, job)
        return run

    async def _note_use(self, run: Run, job: Job) -> None:
        """Remember when the token was used; the run is stored, so a caller must not send again."""
        try:
            await self._store.fire_tokens.note_use(job.id, run.created_at)
        except StoreError as error:
            log.error("That the token of job %s was used is not stored: %s", job.id, error)

    async def _check_budget(self, job: Job) -> None:
        """Accept a job whose run could start today; a caller learns no amounts. Raises NotFired."""
        budget = await self._days.spent_for(job_id=job.id)
        if budget is not None:
            sentence = "The budget of the day is spent; try again later."
            wait_s = (budget.day.ends_at - self._now_ms()) / 1000
            raise _later(sentence, wait_s)

    async def _job(self, scope: Scope) -> Job:
        """Return the job of the address if the token is its own. Raises NotFired."""
        path = _PATH.fullmatch(scope["path"])
        given = Headers.of(scope).get(b"authorization") or ""
        kind, _, token = given.partition(" ")
        opened = await self._store.fire_tokens.job_of(token_hash(token.strip()))
        if path is None or kind.lower() != "bearer" or opened is None or opened != path[1]:
            raise NotFired(HTTPStatus.UNAUTHORIZED, "The token does not fire this job.")
        job = await self._store.jobs.get(opened)
        if job is None:
            raise NotFired(HTTPStatus.UNAUTHORIZED, "The token does not fire this job.")
        return job


def new_fire_token() -> str:
    """Return a fresh token."""
    return f"{PREFIX}{secrets.token_urlsafe(TOKEN_BYTES)}"


def _with(run: Run, text: str) -> Run:
    if not text:
        return run
    data = as_data(text, new_marker(), MAX_TEXT_CHARS)
    return replace(run, prompt=f"{run.prompt}\n\n{data}")


async def _body(receive: Receive) -> bytes:
    try:
        with anyio.fail_after(BODY_TIMEOUT_S):
            return await read_body(receive, MAX_BODY_BYTES)
    except BodyTooLarge:
        sentence = f"The body has at most {MAX_BODY_BYTES} bytes."
        raise NotFired(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence) from None
    except TimeoutError:
        sentence = f"The body did not arrive within {BODY_TIMEOUT_S:g} s."
        raise NotFired(HTTPStatus.REQUEST_TIMEOUT, sentence) from None


def _text(body: bytes) -> str:
    """Return the text of a body that may be empty. Raises NotFired."""
    if not body:
        return ""
    try:
        asked: object = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    text = cast("dict[str, object]", asked).get("text", "") if isinstance(asked, dict) else None
    if not isinstance(text, str) or len(text) > MAX_TEXT_CHARS:
        raise NotFired(
            HTTPStatus.BAD_REQUEST,
            f'The body is a JSON object with a "text" of at most {MAX_TEXT_CHARS} characters.',
        )
    return text


def _check_wait(wait_s: float) -> None:
    if wait_s:
        raise _later("This was called too often; try again later.", wait_s)


def _later(sentence: str, wait_s: float) -> NotFired:
    seconds = str(max(1, math.ceil(wait_s)))
    return NotFired(HTTPStatus.TOO_MANY_REQUESTS, sentence, **{"retry-after": seconds})


def _fired(run: Run, own_url: str) -> dict[str, Any]:
    return {
        "type": "routine_fire",
        "claude_code_session_id": run.id,
        "claude_code_session_url": f"{own_url}/runs/{run.id}",
    }


def _error(status: HTTPStatus, sentence: str) -> dict[str, Any]:
    kind = _KINDS.get(status, "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": sentence}}
