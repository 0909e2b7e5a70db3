"""A webhook: an address that starts a run with its payload in a prompt."""

from dataclasses import dataclass

from gateway.domain.network import NONE, RunNetwork


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
    network: RunNetwork = NONE
    last_delivery_at: int | None = None
    deliveries: int = 0
