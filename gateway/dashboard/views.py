"""What the pages show, as text: pure functions from snapshots and runs to rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.approvals import Approval
from gateway.dashboard.sparkline import sparkline
from gateway.domain.run import Run, RunStatus
from gateway.domain.units import instant, size
from sandboxes.policy import MIB, NetworkMode
from supervisor.events import ServerState
from supervisor.metering.metrics import ServerMetrics
from supervisor.snapshot import ServerSnapshot

NONE = "-"
ERROR_LENGTH = 160
CRASH_LINES = 10
SHOWN_HOSTS = 3


class Tone(StrEnum):
    """How a state is coloured; the word beside it says the same."""

    GOOD = "good"
    BUSY = "busy"
    BAD = "bad"
    QUIET = "quiet"


STATE_TONES = {
    ServerState.READY: Tone.GOOD,
    ServerState.STARTING: Tone.BUSY,
    ServerState.STOPPING: Tone.BUSY,
    ServerState.BACKOFF: Tone.BAD,
    ServerState.QUARANTINED: Tone.BAD,
    ServerState.FAILED: Tone.BAD,
    ServerState.STOPPED: Tone.QUIET,
    ServerState.DISABLED: Tone.QUIET,
}
_STATUS_TONES = {
    RunStatus.QUEUED: Tone.BUSY,
    RunStatus.STARTING: Tone.BUSY,
    RunStatus.RUNNING: Tone.BUSY,
    RunStatus.SUCCEEDED: Tone.GOOD,
    RunStatus.CANCELLED: Tone.QUIET,
    RunStatus.SKIPPED: Tone.QUIET,
}


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One line of the table of process health."""

    id: str
    """Of its element."""
    name: str
    kind: str
    state: str
    tone: Tone
    reason: str
    level: str
    network: str
    hosts: str
    """Those it may reach, where it may reach only some."""
    refused: str
    """The last hosts that it asked for in vain."""
    traffic: str
    """What went through its proxy; empty without one."""
    packages: str
    """Of an environment of its own; empty where it has the shipped one."""
    environment: str
    """How large that is and when it was built."""
    generation: str
    pid: str
    uptime: str
    restarts: int
    calls: int
    errors: int
    in_flight: int
    tools: int
    rejected: str
    """Why newer code is not running; empty when none waits."""
    quarantined: str
    """Its tools that wait for approval; empty when none does."""
    crash: str
    """How its last process died; empty when none did."""
    crash_lines: tuple[str, ...]
    """The end of what that one wrote to standard error."""
    cpu: str
    cpu_line: str
    """Points of a line over the last ten minutes; empty without any."""
    memory: str
    memory_line: str
    latency: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of the table of recent runs."""

    id: str
    status: str
    tone: Tone
    trigger: str
    job_id: str
    """Empty: it is no job's."""
    created: str
    took: str
    cost: str
    error: str


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """A quarantined tool, both definitions as text."""

    server: str
    tool: str
    digest: str
    reason: str
    since: str
    standing: str
    approved: str
    listed: str


def tone_of(status: RunStatus) -> Tone:
    """Return how the status of a run is coloured."""
    return _STATUS_TONES.get(status, Tone.BAD)


def run_rows(runs: Iterable[Run]) -> tuple[RunRow, ...]:
    """Return the rows in the order given."""
    return tuple(_run_row(each) for each in runs)


def approval_rows(approvals: Iterable[Approval]) -> tuple[ApprovalRow, ...]:
    """Return the rows in the order given."""
    return tuple(
        ApprovalRow(
            server=each.server,
            tool=each.tool,
            digest=each.digest,
            reason=each.reason,
            since=instant(int(each.since * 1000)),
            standing="rejected" if each.rejected else "waits",
            approved=each.approved,
            listed=each.listed,
        )
        for each in approvals
    )


def duration(seconds: float | None) -> str:
    """Return such as ``42 s``, ``3 min``, ``5 h 2 min``, ``4 d 1 h``; a dash for None."""
    if seconds is None:
        return NONE
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def money(micro_usd: int | None) -> str:
    """Return such as ``$0.0123``; a dash for None."""
    return NONE if micro_usd is None else f"${micro_usd / 1_000_000:.4f}"


def mebibytes(amount: int | None) -> str:
    """Return such as ``17.8 MiB``; a dash for None."""
    return NONE if amount is None else f"{amount / MIB:.1f} MiB"


def milliseconds(amount: float | None) -> str:
    """Return such as ``0.42 ms`` or ``1.5 s``, three digits; a dash for None."""
    if amount is None:
        return NONE
    return f"{amount:.3g} ms" if amount < 1000 else f"{amount / 1000:.3g} s"


def server_row(snapshot: ServerSnapshot, metrics: ServerMetrics) -> ServerRow:
    """Return how a server is now."""
    crash = snapshot.last_crash
    return ServerRow(
        id=f"server-{snapshot.name}",
        name=snapshot.name,
        kind=snapshot.kind.value,
        state=snapshot.state.value,
        tone=STATE_TONES[snapshot.state],
        reason=snapshot.reason,
        level=snapshot.level.value,
        network=snapshot.network.mode.value,
        hosts=", ".join(snapshot.network.hosts),
        refused=", ".join(snapshot.refused_hosts[-SHOWN_HOSTS:]),
        traffic=_traffic(snapshot),
        packages=", ".join(snapshot.packages),
        environment=_environment(snapshot),
        generation=str(snapshot.generation) if snapshot.generation else NONE,
        pid=NONE if snapshot.pid is None else str(snapshot.pid),
        uptime=duration(snapshot.uptime_s),
        restarts=snapshot.restarts,
        calls=snapshot.calls,
        errors=snapshot.errors,
        in_flight=snapshot.in_flight,
        tools=len(snapshot.tools),
        rejected=snapshot.rejected or "",
        quarantined=", ".join(found.tool for found in snapshot.quarantined_tools),
        crash=f"{crash.cause}, {crash.circumstances()}" if crash else "",
        crash_lines=crash.stderr_tail[-CRASH_LINES:] if crash else (),
        cpu=NONE if metrics.cpu_percent is None else f"{metrics.cpu_percent:.1f} %",
        cpu_line=sparkline(tuple(point.cpu_percent for point in metrics.fine)),
        memory=mebibytes(metrics.private_bytes),
        memory_line=sparkline(tuple(point.private_bytes for point in metrics.fine)),
        latency=milliseconds(metrics.latency.p95_ms),
    )


def _traffic(snapshot: ServerSnapshot) -> str:
    if snapshot.network.mode is not NetworkMode.HOSTS:
        return ""
    return f"{size(snapshot.bytes_out)} out, {size(snapshot.bytes_in)} in"


def _environment(snapshot: ServerSnapshot) -> str:
    built = snapshot.environment
    if built is None or built.bytes is None or built.at is None:
        return "not built yet" if snapshot.packages else ""
    return f"{size(built.bytes)}, built {instant(built.at)}"


def _run_row(run: Run) -> RunRow:
    return RunRow(
        id=run.id,
        status=run.status.value,
        tone=tone_of(run.status),
        trigger=run.trigger.value,
        job_id=run.job_id or "",
        created=instant(run.created_at),
        took=duration(run.took_s),
        cost=money(run.cost_micro_usd),
        error=_shortened(run.error or ""),
    )


def _shortened(text: str) -> str:
    return text if len(text) <= ERROR_LENGTH else text[: ERROR_LENGTH - 1] + "…"
