"""What the page of a server says of it, as text. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.dashboard.views import NONE, duration, mebibytes, milliseconds
from gateway.domain.units import instant, size
from gateway.servers import ServerReport
from sandboxes.network.hosts import EVERY
from sandboxes.policy import Level, Network, NetworkMode
from supervisor.children.crash import CrashReport
from supervisor.metering.metrics import ServerMetrics
from supervisor.spec import ServerSpec

Facts = tuple[tuple[str, str], ...]
EVERY_PUBLIC = "every public host"
PRIVATE_TOO = " (also with addresses of private networks)"


@dataclass(frozen=True, slots=True)
class CrashRow:
    """One death of a process, or one start that failed."""

    at: str
    title: str
    calls: tuple[str, ...]
    lines: tuple[str, ...]


def state_of(report: ServerReport) -> Facts:
    """Return how a server stands."""
    seen, spec = report.snapshot, report.spec
    built = seen.environment
    return _present(
        ("Kind", seen.kind.value),
        ("Switched", "on" if report.enabled else "off"),
        ("Sandbox", seen.level.value),
        ("Generation", str(seen.generation) if seen.generation else NONE),
        ("Process", str(seen.pid) if seen.pid else NONE),
        ("Started", seen.start.value if seen.start else ""),
        ("Uptime", duration(seen.uptime_s)),
        ("Restarts", str(seen.restarts)),
        ("Last exit", seen.last_exit or ""),
        ("Protocol", seen.era.value if seen.era else ""),
        ("Tools", str(len(seen.tools))),
        ("Calls", f"{seen.calls}, {seen.errors} failed, {seen.in_flight} in flight"),
        ("Code", seen.digest[:12]),
        ("Packages", ", ".join(seen.packages) or "shipped"),
        ("Environment", _built(built.bytes, built.at) if built else ""),
        ("Missing credentials", ", ".join(report.missing)),
        ("Folder", str(spec.code_dir)),
    )


def use_of(metrics: ServerMetrics) -> Facts:
    """Return what a server's processes use."""
    seen = metrics.latency
    return _present(
        ("Processor", NONE if metrics.cpu_percent is None else f"{metrics.cpu_percent:.1f} %"),
        ("Private memory", mebibytes(metrics.private_bytes)),
        ("Resident memory", mebibytes(metrics.resident_bytes)),
        ("Processes", _count(metrics.processes)),
        ("Threads", _count(metrics.threads)),
        ("Open files", _count(metrics.open_files)),
        ("Data folder", NONE if metrics.data_dir_bytes is None else size(metrics.data_dir_bytes)),
        ("Answered tool calls", str(seen.calls)),
        ("Median", milliseconds(seen.p50_ms)),
        ("95th percentile", milliseconds(seen.p95_ms)),
        ("99th percentile", milliseconds(seen.p99_ms)),
    )


def policy_of(spec: ServerSpec, level: Level) -> Facts:
    """Return what a server may do, and how it is kept running."""
    limits = spec.limits
    return _present(
        ("Sandbox", level.value),
        ("Network", reach_of(spec.network)),
        ("May read", ", ".join(map(str, spec.read_only)) or "its own folder"),
        ("May write", ", ".join(("its data folder", *map(str, spec.read_write)))),
        ("Unix sockets", "yes" if spec.unix_sockets else "no"),
        ("Messages to you", "yes" if spec.notify else ""),
        ("Variables", ", ".join(name for name, _ in spec.environment)),
        ("Memory", size(limits.memory_bytes)),
        ("Processors", "a share" if limits.cpu is None else f"{limits.cpu:g}"),
        ("Processes", str(limits.processes)),
        ("Open files", str(limits.open_files)),
        ("Largest file", size(limits.file_size_bytes)),
        ("Data folder", f"{size(limits.data_dir_bytes)}, {limits.data_dir_files:,} files"),
        ("Start", f"{spec.start.value}, within {spec.start_timeout_s:g} s"),
        ("A call", f"ends after {spec.call_timeout_s:g} s"),
        ("Idle", "" if spec.idle_stop_s is None else f"stops after {spec.idle_stop_s:g} s"),
        ("Reload", spec.reload.value.replace("_", " ")),
        ("Instances", spec.instances.value.replace("_", " ")),
        ("At most", f"{spec.max_instances} instances" if spec.instances == "per_session" else ""),
    )


def reach_of(network: Network) -> str:
    """Return where a server may connect."""
    match network.mode:
        case NetworkMode.NONE:
            return "none"
        case NetworkMode.HOSTS:
            private = PRIVATE_TOO if network.private_addresses else ""
            hosts = (EVERY_PUBLIC if host == EVERY else host for host in network.hosts)
            return f"{', '.join(hosts)}{private}"
        case NetworkMode.FULL:
            return "everything"


def crash_rows(reports: Iterable[CrashReport]) -> tuple[CrashRow, ...]:
    """Return the rows, newest first."""
    return tuple(_crash_row(each) for each in reversed(tuple(reports)))


def _crash_row(report: CrashReport) -> CrashRow:
    return CrashRow(
        at=instant(int(report.at * 1000)),
        title=f"Generation {report.generation}: {report.cause}, {report.circumstances()}",
        calls=tuple(f"{c.tool} {c.arguments}, after {c.running_s:.1f} s" for c in report.calls),
        lines=report.stderr_tail,
    )


def _built(amount: int | None, at: int | None) -> str:
    if amount is None or at is None:
        return "not built yet"
    return f"{size(amount)}, built {instant(at)}"


def _count(amount: int | None) -> str:
    return NONE if amount is None else str(amount)


def _present(*facts: tuple[str, str]) -> Facts:
    return tuple((name, text) for name, text in facts if text)
