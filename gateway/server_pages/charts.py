"""What a server used, as lines that the server draws, each with its text alternative. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.dashboard.sparkline import sparkline
from gateway.dashboard.views import mebibytes, milliseconds
from supervisor.metering.metrics import POINT_EVERY_S, POINTS_PER_COARSE_POINT, Point, ServerMetrics

WIDTH = 300
HEIGHT = 60


@dataclass(frozen=True, slots=True)
class Chart:
    """One line."""

    title: str
    points: str
    """Of a polyline."""
    top: str
    """What its highest point stands for."""
    now: str
    alternative: str
    """The same in words."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time."""

    title: str
    charts: tuple[Chart, ...]
    rows: tuple[tuple[str, ...], ...]
    """All numbers: when, and then one of each chart."""


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _memory(value: float) -> str:
    return mebibytes(int(value))


def _count(value: float) -> str:
    return f"{value:.0f}"


_LINES: tuple[tuple[str, Callable[[Point], float], Callable[[float], str]], ...] = (
    ("Private memory", lambda point: point.private_bytes, _memory),
    ("Processor", lambda point: point.cpu_percent, _percent),
    ("Calls", lambda point: point.calls, _count),
    ("95th percentile", lambda point: point.p95_ms, milliseconds),
)
HEADS = ("Until", *(title for title, _, _ in _LINES))


def spans_of(metrics: ServerMetrics) -> tuple[Span, ...]:
    """Return the last ten minutes and the last five hours in which it ran, as far as known."""
    coarse_s = POINT_EVERY_S * POINTS_PER_COARSE_POINT
    fine = _span("The last ten minutes", f"{POINT_EVERY_S:g} s", metrics.fine)
    coarse = _span("The last five hours", f"{coarse_s / 60:g} min", metrics.coarse)
    return tuple(span for span in (fine, coarse) if span is not None)


def _span(title: str, every: str, points: tuple[Point, ...]) -> Span | None:
    if len(points) < 2:
        return None
    return Span(
        f"{title}, every {every}",
        tuple(_chart(name, [of(each) for each in points], shown) for name, of, shown in _LINES),
        tuple(
            (_time(each), *(shown(of(each)) for _, of, shown in _LINES))
            for each in reversed(points)
        ),
    )


def _chart(title: str, values: list[float], shown: Callable[[float], str]) -> Chart:
    least, most, now = shown(min(values)), shown(max(values)), shown(values[-1])
    return Chart(
        title=title,
        points=sparkline(tuple(values), WIDTH, HEIGHT),
        top=most,
        now=now,
        alternative=f"{title}: between {least} and {most}, last {now}",
    )


def _time(point: Point) -> str:
    return f"{datetime.fromtimestamp(point.at_s, UTC):%H:%M:%S} UTC"
