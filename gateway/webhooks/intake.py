"""``POST /webhook/<secret>``: finds the webhook, reads the payload, queues the run.

The secret in the address is the only proof that the sender may call, so an unknown one, a switched
off webhook and a malformed address get the same answer.
"""

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import NoReturn

import anyio

from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.domain.webhook import Webhook
from gateway.jobs.runner import Runner
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
from gateway.webhooks.template import render

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
BODY_TIMEOUT_S = 10.0
"""A sender has its payload ready; a slower one only holds the connection."""
RETRY_AFTER_S = 5
_ADDRESS = re.compile(r"/webhook/([A-Za-z0-9_-]{16,128})")


class Refused(Exception):
    """A delivery that starts no run: a status and one sentence."""

    def __init__(self, status: HTTPStatus, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class Intake:
    """The ASGI application behind every webhook's address."""

    def __init__(self, store: Store, runner: Runner, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._runner = runner
        self._now_ms = now_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            run = await self._deliver(scope, receive)
        except ClientGone:
            return
        except Refused as refusal:
            await _answer(send, refusal.status, {"error": str(refusal)}, refusal.headers)
        except StoreError as error:
            log.error("A delivery could not be stored: %s", error)
            sentence = "The gateway's database does not answer; send it again later."
            headers = {"retry-after": str(RETRY_AFTER_S)}
            await _answer(send, HTTPStatus.SERVICE_UNAVAILABLE, {"error": sentence}, headers)
        else:
            await _answer(send, HTTPStatus.ACCEPTED, {"run_id": run.id}, {})

    async def _deliver(self, scope: Scope, receive: Receive) -> Run:
        if scope["method"] != "POST":
            raise Refused(
                HTTPStatus.METHOD_NOT_ALLOWED, "A webhook is called with POST.", allow="POST"
            )
        webhook = await self._webhook(scope["path"])
        body = await _body(scope, receive)
        payload = read_payload(body, Headers(scope).get(b"content-type") or "")
        now = self._now_ms()
        run = await self._runner.submit(_run_of(webhook, payload, now))
        await self._store.webhooks.record_delivery(webhook.id, now)
        return run

    async def _webhook(self, path: str) -> Webhook:
        address = _ADDRESS.fullmatch(path)
        if address is None:
            _no_webhook()
        secret_hash = hashlib.sha256(address[1].encode("ascii")).hexdigest()
        webhook = await self._store.webhooks.by_secret_hash(secret_hash)
        if webhook is None or not webhook.enabled:
            _no_webhook()
        return webhook


def build_intake(store: Store, runner: Runner, now_ms: Callable[[], int] = utc_ms) -> Intake:
    """Return the application to which the router sends everything under ``/webhook``."""
    return Intake(store, runner, now_ms)


def read_payload(body: bytes, content_type: str) -> object:
    """Return the payload: JSON if it is JSON, else its text. Raises Refused.

    Bytes that claim to be JSON must be; a sender that says nothing may post plain text.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(HTTPStatus.BAD_REQUEST, "The body is not UTF-8 text.") from None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = str(error).partition("(char")[0].strip()
    if "json" in content_type.lower() and text:
        raise Refused(HTTPStatus.BAD_REQUEST, f"The body is not valid JSON: {reason}.")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _no_webhook() -> NoReturn:
    raise Refused(HTTPStatus.NOT_FOUND, "There is no such webhook.")


async def _body(scope: Scope, receive: Receive) -> bytes:
    too_large = Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A payload has at most {MAX_BODY_BYTES} bytes."
    )
    declared = Headers(scope).get(b"content-length")
    if declared is not None and declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise too_large
    try:
        with anyio.fail_after(BODY_TIMEOUT_S):
            return await read_body(receive, MAX_BODY_BYTES)
    except BodyTooLarge:
        raise too_large from None
    except TimeoutError:
        sentence = f"The body did not arrive within {BODY_TIMEOUT_S:g} s."
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, sentence) from None


def _run_of(webhook: Webhook, payload: object, now: int) -> Run:
    marker = f"payload-{secrets.token_hex(8)}"
    return Run(
        id=new_id("run"),
        trigger=Trigger.WEBHOOK,
        status=RunStatus.QUEUED,
        prompt=render(webhook.prompt_template, payload, marker),
        tools=webhook.tools,
        servers=webhook.servers,
        created_at=now,
        webhook_id=webhook.id,
        model=webhook.model,
        max_turns=webhook.max_turns,
        timeout_s=webhook.timeout_s,
        budget_micro_usd=webhook.budget_micro_usd,
        network=webhook.network,
    )


async def _answer(
    send: Send, status: HTTPStatus, body: dict[str, str], headers: dict[str, str]
) -> None:
    fields = {name.encode("ascii"): value.encode("ascii") for name, value in headers.items()}
    await send_body(send, status, json.dumps(body).encode("utf-8"), headers=fields)
