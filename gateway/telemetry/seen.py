"""What is true of servers and runs at one instant, as telemetry looks at it."""

from dataclasses import dataclass

from supervisor.metering.metrics import ServerMetrics
from supervisor.snapshot import ServerSnapshot


@dataclass(frozen=True, slots=True)
class Seen:
    """Taken on the gateway's loop; read by any thread."""

    servers: tuple[tuple[ServerSnapshot, ServerMetrics], ...] = ()
    live_runs: int = 0
    queued_runs: int = 0
