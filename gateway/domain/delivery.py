"""A delivery: one POST to a webhook's address and what became of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.run import Run


class Outcome(StrEnum):
    """What became of a delivery."""

    ACCEPTED = "accepted"
    """It started a run."""
    DUPLICATE = "duplicate"
    """It came before; the run is that of the first time."""
    CONFLICT = "conflict"
    """Its id came before with another body."""
    GREETING = "greeting"
    """A sender's trial of the address, answered without a run."""
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    """Well signed, at a time too far from now."""
    MALFORMED = "malformed"
    """Its body cannot be read."""
    MISSING = "missing"
    """Its payload lacks a part that the template needs."""
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    """A kind of content or an encoding that is not taken."""
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    PAUSED = "paused"
    BUDGET = "budget"
    """The day's budget of the webhook, or of all runs, is spent."""
    BUSY = "busy"
    """Too many bodies were being read at once, or this one came too slowly."""


class DeliveryOrigin(StrEnum):
    """Who made a delivery."""

    SENDER = "sender"
    TEST = "test"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One line of a webhook's log. Times are integer milliseconds UTC."""

    id: str
    webhook_id: str
    received_at: int
    origin: DeliveryOrigin
    outcome: Outcome
    status: int
    """The HTTP status of the answer."""
    sender: str
    """Address of the caller."""
    content_type: str
    size: int
    """Bytes of the body."""
    run_id: str | None = None
    body: bytes | None = field(default=None, repr=False)
    """Kept of proven deliveries, for a while, so that they can be sent again."""


@dataclass(frozen=True, slots=True)
class DeliveryKey:
    """By what a delivery is known again."""

    value: str
    """Unique over all webhooks."""
    digest: str
    """Of what must be the same when the key is."""
    expires_at: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A proven delivery and the run that it is to start."""

    delivery: Delivery
    run: Run
    key: DeliveryKey | None
    """None: it is never the same as another one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the store made of an arrival."""

    outcome: Outcome | None
    """ACCEPTED, DUPLICATE, CONFLICT or QUEUE_FULL; None when the webhook is gone."""
    run_id: str | None = None
