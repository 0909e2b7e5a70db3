"""What a server uses and how it answers, from real children and from arithmetic."""

import os
import random
import time

import pytest

from sandboxes.limits import watchdog
from sandboxes.policy import MIB
from supervisor.errors import UnknownServer
from supervisor.metering.latency import Latencies, Latency
from supervisor.metering.metrics import (
    POINT_EVERY_S,
    POINTS,
    POINTS_PER_COARSE_POINT,
    Counted,
    Meter,
    Metrics,
    Point,
    ServerMetrics,
    merged,
)
from supervisor.metering.watch import Observed
from tests.supervisor.conftest import Stage, raw_spec


def point(number: int) -> Point:
    """Return a point that can be told from others."""
    return Point(number, 10.0, 100.0, 50.0, 2.0, 1.0, float(number))


def test_percentiles_are_off_by_a_thirtieth_at_most() -> None:
    """Ours: from microseconds to hours, in a fixed number of buckets."""
    luck = random.Random(7)  # noqa: S311
    durations = sorted(10 ** luck.uniform(-5, 4) for _ in range(5000))
    latencies = Latencies()
    for duration in durations:
        latencies.record(duration)
    seen = latencies.total()
    assert seen.calls == 5000
    for share, found in ((0.5, seen.p50_ms), (0.95, seen.p95_ms), (0.99, seen.p99_ms)):
        exact = durations[int(share * 5000) - 1] * 1000
        assert found == pytest.approx(exact, rel=1 / 30)


def test_a_fold_begins_anew_and_loses_nothing() -> None:
    """Ours: the total goes on while each interval stands alone."""
    latencies = Latencies()
    assert latencies.total() == latencies.fold() == Latency(0, None, None, None)
    latencies.record(1e9)
    assert latencies.fold().calls == 1
    latencies.record(0)
    assert (latencies.fold().calls, latencies.total().calls) == (1, 2)


def test_a_history_keeps_the_last_points_in_order() -> None:
    """Ours: ten minutes fine, five hours coarse, and never more."""
    meter = Meter()
    for number in range(POINTS * POINTS_PER_COARSE_POINT * 2):
        meter.add(point(number))
    assert [p.at_s for p in meter.fine.points()] == list(range(3540, 3600))
    coarse = meter.coarse.points()
    assert [p.at_s for p in coarse] == list(range(1829, 3600, 30))
    assert coarse[-1] == Point(3599, 10.0, 100.0, 50.0, 60.0, 30.0, 3599)


def test_points_in_a_row_become_one() -> None:
    """Ours: averages of use, sums of counts, the worst latency."""
    assert merged([point(1), point(2)]) == Point(2, 10.0, 100.0, 50.0, 4.0, 2.0, 2.0)


async def test_a_point_is_made_of_what_happened_since_the_last() -> None:
    """Ours: measured on this very process."""
    now = [1000.0]
    counted = Counted(3, 1, 0)

    def observed() -> tuple[Observed, ...]:
        trees = watchdog.ProcessTable().trees([os.getpid()])
        return (Observed("a", os.getpid(), 0.0, trees[os.getpid()], 4096),)

    metrics = Metrics(observed, lambda server: counted, lambda: now[0])
    metrics._meters["a"] = Meter()
    await metrics.measure()
    assert metrics.of("a").fine == ()
    for calls in (3, 10):
        now[0] += POINT_EVERY_S
        counted = Counted(calls, 1, 0)
        await metrics.measure()
    seen = metrics.of("a")
    assert [(p.calls, p.errors) for p in seen.fine] == [(3, 1), (7, 0)]
    assert seen.fine[-1].at_s == pytest.approx(time.time(), abs=5)
    assert seen.fine[-1].private_bytes == seen.private_bytes
    assert (seen.data_dir_bytes, seen.calls) == (4096, 10)


async def test_a_real_server_is_measured(stage: Stage) -> None:
    """Issue 4, What 7."""
    await stage.start(raw_spec("a"))
    await stage.call("a", "fill", files=3, bytes_each=100_000)
    for _ in range(3):
        await stage.call("a", "wait", steps=1, each_s=0.2)
    await stage.until(lambda: stage.supervisor.metrics("a").private_bytes is not None)
    await stage.until(lambda: (stage.supervisor.metrics("a").data_dir_bytes or 0) >= 300_000)
    seen = stage.supervisor.metrics("a")
    assert seen.latency.calls == 4
    assert seen.latency.p50_ms and 100 < seen.latency.p50_ms < 5000
    assert seen.private_bytes and seen.resident_bytes and seen.threads
    assert MIB < seen.private_bytes < seen.resident_bytes < 100 * MIB
    assert seen.open_files is not None and seen.open_files >= 3
    assert seen.cpu_percent is not None and seen.cpu_percent > 0
    assert (seen.processes, seen.calls, seen.errors, seen.restarts) == (1, 4, 0, 0)
    await stage.supervisor.disable("a")
    stopped = stage.supervisor.metrics("a")
    assert (stopped.cpu_percent, stopped.private_bytes, stopped.threads) == (None, None, None)
    assert (stopped.calls, stopped.data_dir_bytes) == (4, seen.data_dir_bytes)


async def test_a_server_that_never_ran_has_empty_metrics(stage: Stage) -> None:
    """Ours: a thousand registered servers cost nothing."""
    await stage.supervisor.apply(raw_spec("a"), enabled=False)
    nothing = ServerMetrics(None, None, None, None, None, None, None, 0, 0, 0)
    assert stage.supervisor.metrics("a") == nothing
    with pytest.raises(UnknownServer):
        stage.supervisor.metrics("b")
