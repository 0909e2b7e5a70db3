"""A webhook: an address that starts a run with its payload in a prompt."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.network import NONE, RunNetwork
from gateway.domain.secret import Sealed

DAY_S = 24 * 3600


class Scheme(StrEnum):
    """How a sender proves who it is; all signatures are HMAC-SHA256 over the body's bytes."""

    NONE = "none"
    """Whoever knows the address."""
    BEARER = "bearer"
    """``Authorization: Bearer`` with the secret itself."""
    STANDARD = "standard"
    """Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature."""
    GITHUB = "github"
    """X-Hub-Signature-256; nothing in it says when."""
    STRIPE = "stripe"
    """Stripe-Signature."""
    SLACK = "slack"
    """X-Slack-Signature and X-Slack-Request-Timestamp."""


class MissingPath(StrEnum):
    """What a placeholder does whose part the payload lacks."""

    EMPTY = "empty"
    """It becomes empty text."""
    ERROR = "error"
    """The delivery is refused and starts nothing."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A stored template that a POST to ``/webhook/<secret>`` turns into a run."""

    id: str
    name: str
    prompt_template: str
    tools: tuple[str, ...]
    """Empty means none."""
    servers: tuple[str, ...]
    enabled: bool
    created_at: int
    updated_at: int
    model: str | None = None
    max_turns: int | None = None
    timeout_s: float = 30 * 60
    budget_micro_usd: int | None = None
    """Of a run."""
    day_budget_micro_usd: int | None = None
    """Of all its runs in a day."""
    network: RunNetwork = NONE
    output_schema: str | None = None
    """JSON Schema of the structured output of its runs, as JSON text."""
    scheme: Scheme = Scheme.NONE
    tolerance_s: int = 300
    """How far a signed timestamp may lie from our clock."""
    missing: MissingPath = MissingPath.EMPTY
    rate_per_minute: int = 120
    same_body_s: int = DAY_S
    """How long a body that comes without an id of its delivery is the same delivery; 0: never."""
    may_wait: bool = False
    """Whether a sender may wait for the run and read its result."""
    paused_at: int | None = None
    """When too many bad signatures in a row closed it."""
    paused_until: int | None = None
    """When the day ends whose budget is spent; a time that is past means nothing."""
    last_delivery_at: int | None = None
    deliveries: int = 0
    failures: int = 0
    """How many of its last runs failed, one after the other."""


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """With what a webhook's sender signs."""

    id: str
    webhook_id: str
    sealed: Sealed
    created_at: int
    expires_at: int | None = None
    """Set once another secret has taken its place."""
