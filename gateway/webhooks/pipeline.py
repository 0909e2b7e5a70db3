"""What happens to a delivery whose webhook and body are known, in the one order that is safe.

Rate, signature, time, payload, template, and at last the store, which knows what came before.
Nothing of the body is looked into before its sender has proved who it is.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from gateway.domain.delivery import Arrival, Delivery, DeliveryOrigin, Outcome
from gateway.domain.ids import new_id
from gateway.domain.webhook import Webhook
from gateway.reach.address import address_block, client_address
from gateway.relay.http import Headers, Scope
from gateway.webhooks.greeting import greet
from gateway.webhooks.hooks import Hook, Hooks
from gateway.webhooks.identity import key_of
from gateway.webhooks.ledger import Ledger, Overfull
from gateway.webhooks.limits import Buckets, Senders
from gateway.webhooks.payload import read_payload
from gateway.webhooks.refusal import Refused
from gateway.webhooks.runs import prompt_of, run_of
from gateway.webhooks.schemes import Proof, prove

log = logging.getLogger(__name__)

MAX_BAD_SIGNATURES = 50
"""In a row; then the webhook pauses, for its sender has another secret or is another one."""
RETRY_AFTER_S = 5.0
QUEUE_RETRY_S = 60.0
PAUSED_RETRY_S = 600.0
ORIGIN = "claude_runner.delivery_origin"
"""Key in the scope of a request that is no sender's but a trial of ours."""
_PROVEN = (Outcome.MISSING, Outcome.QUEUE_FULL)
"""Refusals of proven deliveries, whose bodies are kept to be sent again."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A delivery as it came in, for a webhook that exists."""

    hook: Hook
    headers: Headers
    body: bytes = field(repr=False)
    sender: str
    """Address of the caller."""
    sender_block: str
    """By what callers are counted."""
    origin: DeliveryOrigin = DeliveryOrigin.SENDER

    @property
    def content_type(self) -> str:
        """The header, '' without one."""
        return self.headers.get(b"content-type") or ""

    @classmethod
    def of(cls, scope: Scope, hook: Hook) -> "Posted":
        """Return the delivery that a request begins, still without its body."""
        sender = client_address(scope)
        origin: DeliveryOrigin = scope.get(ORIGIN, DeliveryOrigin.SENDER)
        return cls(hook, Headers.of(scope), b"", sender, address_block(sender), origin)

    def line(self, outcome: Outcome, status: HTTPStatus, now: int, body: bytes | None) -> Delivery:
        """Return the delivery as the log has it."""
        return Delivery(
            id=new_id("delivery"),
            webhook_id=self.hook.webhook.id,
            received_at=now,
            origin=self.origin,
            outcome=outcome,
            status=status,
            sender=self.sender,
            content_type=self.content_type,
            size=len(self.body),
            body=body,
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """What a delivery is answered with."""

    status: HTTPStatus
    answer: dict[str, Any]
    run_id: str | None = None
    headers: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])


class Pipeline:
    """Settles deliveries."""

    def __init__(
        self,
        hooks: Hooks,
        ledger: Ledger,
        *,
        now_ms: Callable[[], int],
        senders: Senders,
        spent_until: Callable[[], int],
    ) -> None:
        """`spent_until` returns before when no run starts, whatever its webhook may spend."""
        self._hooks = hooks
        self._ledger = ledger
        self._now_ms = now_ms
        self._senders = senders
        self._spent_until = spent_until
        self._rates = Buckets()
        self._bad: Counter[str] = Counter()

    async def settle(self, posted: Posted) -> Settled:
        """Return the answer to a delivery. Raises Refused and StoreError."""
        self._check_rate(posted)
        await self.check_sender(posted)
        payload = read_payload(posted.body, posted.content_type)
        webhook = posted.hook.webhook
        if (greeting := greet(webhook.scheme, posted.headers, payload)) is not None:
            self._note(posted, Outcome.GREETING, HTTPStatus.OK)
            return Settled(HTTPStatus.OK, greeting)
        now = self._now_ms()
        key = key_of(webhook, posted.headers, posted.body, payload, now)
        run = run_of(webhook, prompt_of(webhook, payload), now)
        delivery = posted.line(Outcome.ACCEPTED, HTTPStatus.ACCEPTED, now, posted.body)
        return await self._store(Arrival(delivery, run, key))

    async def rehearse(self, posted: Posted) -> str:
        """Return the prompt that a delivery would make, and start nothing. Raises Refused."""
        await self.check_sender(posted)
        return prompt_of(posted.hook.webhook, read_payload(posted.body, posted.content_type))

    async def replay(self, webhook: Webhook, kept: Delivery, sender: str) -> Settled:
        """Start a run from the body of an earlier delivery, as the webhook is now."""
        assert kept.body is not None
        now = self._now_ms()
        payload = read_payload(kept.body, kept.content_type)
        run = run_of(webhook, prompt_of(webhook, payload), now)
        delivery = Delivery(
            id=new_id("delivery"),
            webhook_id=webhook.id,
            received_at=now,
            origin=DeliveryOrigin.REPLAY,
            outcome=Outcome.ACCEPTED,
            status=HTTPStatus.ACCEPTED,
            sender=sender,
            content_type=kept.content_type,
            size=kept.size,
            body=kept.body,
        )
        return await self._store(Arrival(delivery, run, None))

    def check_open(self, webhook: Webhook) -> None:
        """Accept a webhook that takes deliveries now. Raises Refused."""
        now = self._now_ms()
        if webhook.paused_at is not None:
            outcome, wait_s = Outcome.PAUSED, PAUSED_RETRY_S
            sentence = "This webhook is paused; its owner can enable it again."
        elif webhook.paused_until is not None and webhook.paused_until > now:
            outcome, wait_s = Outcome.BUDGET, (webhook.paused_until - now) / 1000
            sentence = "This webhook has spent its budget of the day; send it again later."
        elif (spent_until := self._spent_until()) > now:
            outcome, wait_s = Outcome.BUDGET, (spent_until - now) / 1000
            sentence = "The budget of the day is spent; send it again later."
        else:
            return
        status = HTTPStatus.SERVICE_UNAVAILABLE
        raise Refused(outcome, status, sentence, retry_after_s=wait_s)

    async def check_sender(self, posted: Posted) -> None:
        """Accept a delivery that its sender has signed, just now. Raises Refused."""
        webhook, now = posted.hook.webhook, self._now_ms()
        proof = prove(
            webhook.scheme,
            posted.headers,
            posted.body,
            secrets=posted.hook.valid_secrets(now),
            now_s=now / 1000,
            tolerance_s=webhook.tolerance_s,
        )
        if proof is Proof.BAD:
            await self._count_bad(webhook)
        else:
            self._bad.pop(webhook.id, None)
        if proof is not Proof.GOOD:
            outcome = Outcome.BAD_SIGNATURE if proof is Proof.BAD else Outcome.STALE
            raise Refused(outcome, HTTPStatus.UNAUTHORIZED, "The delivery is not authentic.")

    def note_refusal(self, posted: Posted, refusal: Refused) -> None:
        """Have a delivery that was refused written down."""
        if not refusal.logged:
            body = posted.body if refusal.outcome in _PROVEN else None
            self._note(posted, refusal.outcome, refusal.status, body)

    def _note(
        self, posted: Posted, outcome: Outcome, status: HTTPStatus, body: bytes | None = None
    ) -> None:
        self._ledger.note(posted.line(outcome, status, self._now_ms(), body))

    def _check_rate(self, posted: Posted) -> None:
        now, webhook = self._senders.monotonic(), posted.hook.webhook
        wait_s = self._senders.take_of(posted.sender_block)
        whose = "of this address"
        if not wait_s:
            wait_s = self._rates.take(webhook.id, webhook.rate_per_minute, now)
            whose = "to this webhook"
        if wait_s:
            raise Refused(
                Outcome.RATE_LIMITED,
                HTTPStatus.TOO_MANY_REQUESTS,
                f"There were too many deliveries {whose}; send it again later.",
                retry_after_s=wait_s,
            )

    async def _count_bad(self, webhook: Webhook) -> None:
        self._bad[webhook.id] += 1
        if self._bad[webhook.id] < MAX_BAD_SIGNATURES:
            return
        del self._bad[webhook.id]
        log.error(
            "Webhook %s is paused after %d bad signatures in a row; enable it to go on",
            webhook.id,
            MAX_BAD_SIGNATURES,
        )
        await self._hooks.pause(webhook, MAX_BAD_SIGNATURES)

    async def _store(self, arrival: Arrival) -> Settled:
        try:
            verdict = await self._ledger.settle(arrival)
        except Overfull:
            raise _queue_full(RETRY_AFTER_S, logged=False) from None
        match verdict.outcome:
            case Outcome.ACCEPTED:
                answer = {"run_id": verdict.run_id}
                return Settled(HTTPStatus.ACCEPTED, answer, verdict.run_id)
            case Outcome.DUPLICATE:
                answer = {"run_id": verdict.run_id, "duplicate": True}
                return Settled(HTTPStatus.OK, answer, verdict.run_id)
            case Outcome.CONFLICT:
                sentence = "A delivery with this id came before with another body."
                raise Refused(Outcome.CONFLICT, HTTPStatus.CONFLICT, sentence, logged=True)
            case None:
                raise no_webhook()
            case _:
                raise _queue_full(QUEUE_RETRY_S, logged=True)


def no_webhook() -> Refused:
    """Return the answer to every address that leads nowhere, whatever the reason."""
    sentence = "There is no such webhook."
    return Refused(Outcome.MALFORMED, HTTPStatus.NOT_FOUND, sentence, logged=True)


def _queue_full(retry_after_s: float, *, logged: bool) -> Refused:
    return Refused(
        Outcome.QUEUE_FULL,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too many runs wait for their turn; send it again later.",
        retry_after_s=retry_after_s,
        logged=logged,
    )
