"""A job: a stored prompt with a schedule."""

from dataclasses import dataclass

from gateway.domain.network import PUBLIC, RunNetwork


@dataclass(frozen=True, slots=True)
class Job:
    """A stored definition from which runs are made. Times are integer milliseconds UTC."""

    id: str
    name: str
    cron: str
    timezone: str
    """IANA name; the cron expression is evaluated in this zone."""
    prompt: str
    tools: tuple[str, ...]
    """Built-in or ``mcp__server__tool``; empty means the settings row `allowed_tools`."""
    servers: tuple[str, ...]
    """Server names; empty means the settings row `mcp_servers`."""
    enabled: bool
    created_at: int
    updated_at: int
    model: str | None = None
    """None means CLAUDE_MODEL."""
    system_prompt: str | None = None
    max_turns: int | None = None
    timeout_s: float = 30 * 60
    budget_micro_usd: int | None = None
    network: RunNetwork = PUBLIC
    next_fire_at: int | None = None
    """Next due instant; None when disabled."""
