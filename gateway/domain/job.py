"""A job: a stored prompt with a schedule."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.network import PUBLIC, RunNetwork


class CatchUp(StrEnum):
    """Which missed instants a job makes up for."""

    NONE = "none"
    LATEST = "latest"
    """The newest, once."""
    ALL = "all"
    """The newest ones, oldest first, up to a number."""


class Overlap(StrEnum):
    """What becomes of an instant while an earlier run of the job has not ended."""

    SKIP = "skip"
    QUEUE_ONE = "queue_one"
    """It waits, unless another one waits already."""
    ALLOW = "allow"
    """It runs beside the earlier one."""
    CANCEL_RUNNING = "cancel_running"
    """The earlier run is ended for it."""


class OnInterrupt(StrEnum):
    """What becomes of a run that the end of the gateway interrupted."""

    MARK = "mark"
    """It stays interrupted; nothing is repeated."""
    RETRY = "retry"
    """It begins again."""
    RESUME = "resume"
    """Its conversation goes on where it was; one that had not begun begins again."""


@dataclass(frozen=True, slots=True)
class Job:
    """A stored definition from which runs are made. Times are integer milliseconds UTC."""

    id: str
    name: str
    cron: str | None
    """None: the job runs once, at `at`."""
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
    output_schema: str | None = None
    """JSON Schema of the structured output of its runs, as JSON text."""
    next_fire_at: int | None = None
    """When it is due next, jitter included; None when it is disabled or never due again."""
    at: int | None = None
    """The only instant of a job without a cron expression."""
    paused_until: int | None = None
    """It has no due instants before."""
    jitter_s: float = 0.0
    """It fires up to so long after its instants, always by the same time."""
    catch_up: CatchUp = CatchUp.LATEST
    catch_up_max: int = 10
    """Most missed instants that catch_up `all` makes up for at once."""
    grace_s: float = 60 * 60
    """An instant that was missed for longer is not made up for."""
    overlap: Overlap = Overlap.SKIP
    start_within_s: float | None = None
    """A run that has waited for longer expires."""
    retries: int = 0
    """How often a run begins again after the model could not be reached."""
    concurrency: int | None = None
    """Most runs at a time; None: one, or with overlap `allow` as many as there is room for."""
    on_interrupt: OnInterrupt = OnInterrupt.MARK
    on_success: str | None = None
    """Id of the job that runs after a run of this one has succeeded."""
    on_failure: str | None = None
    """The same after a run that did not: failed, timed out, over its budget or interrupted."""
    notify_after: int | None = None
    """So many failures in a row are worth a notice; None: NOTIFY_AFTER says how many; 0: none."""
    failures: int = 0
    """How many of its last runs failed, one after the other."""
    day_budget_micro_usd: int | None = None
    """What its runs may cost in a day of the gateway's zone; None: no limit."""

    @property
    def most_at_once(self) -> int | None:
        """How many runs of the job may go on at a time; None: any number."""
        return self.concurrency or (None if self.overlap is Overlap.ALLOW else 1)
