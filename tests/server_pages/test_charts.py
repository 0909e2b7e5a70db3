"""Charts of what a server used."""

from dataclasses import replace

from gateway.server_pages.charts import HEADS, spans_of
from sandboxes.policy import MIB
from supervisor.metering.metrics import Point
from tests.dashboard.parts import METRICS


def test_every_chart_says_the_same_in_words_and_in_numbers() -> None:
    """WCAG 1.1.1: a picture has a text alternative."""
    points = tuple(Point(n * 10, 50.0 * n, 2 * MIB, n * MIB, 3.0 * n, 0, n) for n in range(1, 3))
    (span,) = spans_of(replace(METRICS, fine=points, coarse=points[:1]))
    assert span.title == "The last ten minutes, every 10 s"
    assert [chart.alternative for chart in span.charts] == [
        "Private memory: between 1.0 MiB and 2.0 MiB, last 2.0 MiB",
        "Processor: between 50.0 % and 100.0 %, last 100.0 %",
        "Calls: between 3 and 6, last 6",
        "95th percentile: between 1 ms and 2 ms, last 2 ms",
    ]
    assert span.charts[0].points == "0.0,30.0 300.0,0.0"
    assert (HEADS, span.rows) == (
        ("Until", "Private memory", "Processor", "Calls", "95th percentile"),
        (
            ("00:00:20 UTC", "2.0 MiB", "100.0 %", "6", "2 ms"),
            ("00:00:10 UTC", "1.0 MiB", "50.0 %", "3", "1 ms"),
        ),
    )
