"""``POST /webhook/<secret>``: from bytes on the wire to a delivery, and back.

The secret in the address finds the webhook; an unknown one, a switched off webhook and a
malformed address get the same answer after the same work.
"""

import json
import logging
import re
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import parse_qs

import anyio

from gateway.domain.delivery import Outcome
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
from gateway.webhooks.hooks import Hook, Hooks
from gateway.webhooks.payload import check_kind
from gateway.webhooks.pipeline import Pipeline, Posted, Settled, no_webhook
from gateway.webhooks.refusal import Refused

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
BODY_TIMEOUT_S = 10.0
"""A sender has its payload ready; a slower one only holds the connection."""
MAX_READING = 256
"""Bodies that are being read at once, which bounds the memory that senders can take."""
MAX_WAITS = 50
"""Senders that wait for their run at once."""
MAX_WAIT_S = 25
"""Senders and proxies give up after 30 s."""
RETRY_AFTER_S = 5.0
_ADDRESS = re.compile(r"/webhook/(?P<secret>[A-Za-z0-9_-]{16,128})(/runs/(?P<run>run_\w{1,40}))?")
_SECONDS = re.compile(r"[0-9]{1,3}")


class Intake:
    """The ASGI application behind every webhook's address."""

    def __init__(self, hooks: Hooks, pipeline: Pipeline, store: Store, runner: Runner) -> None:
        self._hooks = hooks
        self._pipeline = pipeline
        self._store = store
        self._runner = runner
        self._reading = 0
        self._waits = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            settled = await self._answer(scope, receive)
        except ClientGone:
            return
        except Refused as refusal:
            settled = Settled(refusal.status, {"error": str(refusal)}, headers=refusal.headers)
        except StoreError as error:
            log.error("A delivery could not be settled: %s", error)
            settled = _store_failed()
        body = json.dumps(settled.answer).encode("utf-8")
        await send_body(send, settled.status, body, headers=settled.headers)

    async def _answer(self, scope: Scope, receive: Receive) -> Settled:
        """Return what a request is answered with. Raises Refused, ClientGone and StoreError."""
        address = _ADDRESS.fullmatch(scope["path"])
        hook = self._hooks.find(address["secret"] if address else scope["path"])
        if hook is None or address is None or not hook.webhook.enabled:
            raise no_webhook()
        if address["run"] is not None:
            return await self._status(scope["method"], hook, address["run"])
        posted = Posted.of(scope, hook)
        try:
            wait_s = self._check_head(scope, posted)
            posted = replace(posted, body=await self._body(posted.headers, receive))
            settled = await self._pipeline.settle(posted)
        except Refused as refusal:
            self._pipeline.note_refusal(posted, refusal)
            raise
        run_id = settled.run_id
        if run_id is None:
            return settled
        answer = {**settled.answer, "status_url": f"{scope['path']}/runs/{run_id}"}
        settled = replace(settled, answer=answer)
        return await self._waited(settled, run_id, wait_s) if wait_s else settled

    async def _status(self, method: str, hook: Hook, run_id: str) -> Settled:
        """Tell the holder of the address how a run of it goes, not what it says."""
        if method not in ("GET", "HEAD"):
            raise _not_allowed("GET")
        run = await self._store.runs.get(run_id)
        if run is None or run.webhook_id != hook.webhook.id:
            raise no_webhook()
        return Settled(HTTPStatus.OK, {"run_id": run.id, "status": run.status.value})

    def _check_head(self, scope: Scope, posted: Posted) -> int:
        """Return how many seconds the sender waits. Raises Refused."""
        if scope["method"] != "POST":
            raise _not_allowed("POST")
        self._pipeline.check_open(posted.hook.webhook)
        check_kind(posted.content_type, posted.headers.get(b"content-encoding") or "")
        return self._wait_of(scope, posted.hook)

    def _wait_of(self, scope: Scope, hook: Hook) -> int:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if "wait" not in query:
            return 0
        (given, *more) = query["wait"]
        if more or not _SECONDS.fullmatch(given):
            raise _bad_request(f"wait is a number of seconds up to {MAX_WAIT_S}.")
        if not hook.webhook.may_wait:
            raise _bad_request(
                "This webhook does not let senders wait for the run; leave wait out."
            )
        return min(int(given), MAX_WAIT_S)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        too_large = Refused(
            Outcome.TOO_LARGE,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"A payload has at most {MAX_BODY_BYTES} bytes.",
        )
        declared = headers.get(b"content-length")
        if declared is not None and declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            raise too_large
        if self._reading >= MAX_READING:
            sentence = "Too many deliveries arrive at once; send it again later."
            status = HTTPStatus.SERVICE_UNAVAILABLE
            raise Refused(Outcome.BUSY, status, sentence, retry_after_s=RETRY_AFTER_S)
        self._reading += 1
        try:
            with anyio.fail_after(BODY_TIMEOUT_S):
                return await read_body(receive, MAX_BODY_BYTES)
        except BodyTooLarge:
            raise too_large from None
        except TimeoutError:
            sentence = f"The body did not arrive within {BODY_TIMEOUT_S:g} s."
            raise Refused(Outcome.BUSY, HTTPStatus.REQUEST_TIMEOUT, sentence) from None
        finally:
            self._reading -= 1

    async def _waited(self, settled: Settled, run_id: str, wait_s: int) -> Settled:
        """Return the run's result, or the answer as it is when the run takes longer."""
        if self._waits >= MAX_WAITS:
            return settled
        self._waits += 1
        try:
            with anyio.move_on_after(wait_s):
                run = await self._runner.wait(run_id)
                result: dict[str, object] = {
                    "status": run.status.value,
                    "output": run.output,
                    "error": run.error,
                }
                if run.structured is not None:
                    result["structured"] = json.loads(run.structured)
                return replace(settled, status=HTTPStatus.OK, answer={**settled.answer, **result})
        finally:
            self._waits -= 1
        return settled


def _store_failed() -> Settled:
    sentence = "The gateway's database does not answer; send it again later."
    headers = {b"retry-after": b"%d" % RETRY_AFTER_S}
    return Settled(HTTPStatus.SERVICE_UNAVAILABLE, {"error": sentence}, headers=headers)


def _bad_request(sentence: str) -> Refused:
    return Refused(Outcome.MALFORMED, HTTPStatus.BAD_REQUEST, sentence)


def _not_allowed(method: str) -> Refused:
    sentence = f"This address is called with {method}."
    return Refused(
        Outcome.UNSUPPORTED, HTTPStatus.METHOD_NOT_ALLOWED, sentence, allow=method, logged=True
    )
