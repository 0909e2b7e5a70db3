"""What tools answer about the use of a server: now, and as short rows of numbers."""

from dataclasses import dataclass

from sandboxes.policy import MIB
from supervisor.metering.metrics import POINT_EVERY_S, POINTS_PER_COARSE_POINT, Point, ServerMetrics


@dataclass(frozen=True, slots=True)
class MetricsView:
    """What a server uses and how fast it answers; null while nothing runs or is known."""

    cpu_percent: float | None
    """Of one processor core."""
    resident_mib: float | None
    private_mib: float | None
    """What would be free if it ended."""
    threads: int | None
    open_files: int | None
    data_dir_mib: float | None
    tool_calls_answered: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class HistoryView:
    """Rows of numbers, oldest first; each number stands for `every_s` seconds."""

    every_s: float
    cpu_percent: list[float]
    private_mib: list[float]
    calls: list[int]
    errors: list[int]
    p95_ms: list[float]


def view_metrics(seen: ServerMetrics) -> MetricsView:
    """Return a server's use now."""
    return MetricsView(
        cpu_percent=seen.cpu_percent,
        resident_mib=mib(seen.resident_bytes),
        private_mib=mib(seen.private_bytes),
        threads=seen.threads,
        open_files=seen.open_files,
        data_dir_mib=mib(seen.data_dir_bytes),
        tool_calls_answered=seen.latency.calls,
        p50_ms=_rounded(seen.latency.p50_ms),
        p95_ms=_rounded(seen.latency.p95_ms),
        p99_ms=_rounded(seen.latency.p99_ms),
    )


def view_histories(seen: ServerMetrics) -> list[HistoryView]:
    """Return the last ten minutes and the last five hours in which the server ran."""
    coarse_s = POINT_EVERY_S * POINTS_PER_COARSE_POINT
    return [_view_history(POINT_EVERY_S, seen.fine), _view_history(coarse_s, seen.coarse)]


def mib(amount: float | None) -> float | None:
    """Return bytes as mebibytes with one digit."""
    return None if amount is None else round(amount / MIB, 1)


def _view_history(every_s: float, points: tuple[Point, ...]) -> HistoryView:
    return HistoryView(
        every_s=every_s,
        cpu_percent=[round(point.cpu_percent, 1) for point in points],
        private_mib=[round(point.private_bytes / MIB, 1) for point in points],
        calls=[int(point.calls) for point in points],
        errors=[int(point.errors) for point in points],
        p95_ms=[round(point.p95_ms, 1) for point in points],
    )


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 2)
