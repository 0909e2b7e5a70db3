"""Deliveries to webhooks leave entries; what comes to an address that nobody has leaves none."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.audit.trail import Trail
from gateway.domain.audit import Actor, AuditEntry, Outcome
from gateway.domain.clock import utc_ms
from gateway.relay.http import Message, Receive, Scope, Send

ACTION = "delivery"
App = Callable[[Scope, Receive, Send], Awaitable[None]]
WebhookAt = Callable[[str], str | None]
"""Returns the id of the webhook with the secret of an address, or None."""


def watch_deliveries(app: App, trail: Trail, webhook_at: WebhookAt) -> App:
    """Return `app` so that each delivery to a webhook that is there leaves an entry."""

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        first, _, secret = str(scope["path"]).strip("/").partition("/")
        webhook = webhook_at(secret) if first == "webhook" and scope["method"] == "POST" else None
        if webhook is None:
            await app(scope, receive, send)
            return
        began, sizes, seen = time.perf_counter(), {"asked": 0, "answered": 0}, dict[str, Any]()

        async def count_in() -> Message:
            message = await receive()
            sizes["asked"] += len(message.get("body", b""))
            return message

        async def count_out(message: Message) -> None:
            seen.update(message)
            sizes["answered"] += len(message.get("body", b""))
            await send(message)

        try:
            await app(scope, count_in, count_out)
        finally:
            entry = AuditEntry(
                at=utc_ms(),
                actor=Actor.WEBHOOK,
                actor_id=webhook,
                action=ACTION,
                asked_bytes=sizes["asked"],
                answered_bytes=sizes["answered"],
                outcome=_outcome(seen.get("status")),
                took_us=round((time.perf_counter() - began) * 1e6),
                correlation=_run_id(seen.get("body", b"")),
            )
            trail.note(lambda: entry)

    return watched


def _outcome(status: int | None) -> Outcome:
    if status is None:
        return Outcome.CANCELLED
    if status < 400:
        return Outcome.OK
    return Outcome.REFUSED if status < 500 or status == 503 else Outcome.FAILED


def _run_id(body: bytes) -> str:
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return ""
    run_id = answer.get("run_id") if isinstance(answer, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - our own answer
    return run_id if isinstance(run_id, str) else ""
