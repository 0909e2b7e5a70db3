"""A collector of OpenTelemetry's on loopback: takes what is sent by OTLP over HTTP, and keeps it.

Source: OTLP specification, OTLP/HTTP with binary protobuf.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    failed: str
    took_s: float


@dataclass
class Collector:
    """What has arrived."""

    url: str = ""
    spans: list[Span] = field(default_factory=list[Span])
    figures: dict[tuple[str, frozenset[tuple[str, Any]]], float] = field(
        default_factory=dict[tuple[str, frozenset[tuple[str, Any]]], float]
    )
    """The last value of each figure, of histograms the count, by name and attributes."""
    resources: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def take_spans(self, body: bytes) -> None:
        """Keep the spans of one request."""
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(_values(group.resource.attributes))
            for span in (span for scope in group.scope_spans for span in scope.spans):
                self.spans.append(
                    Span(
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        _values(span.attributes),
                        span.status.message if span.status.code == 2 else "",
                        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    )
                )

    def take_figures(self, body: bytes) -> None:
        """Keep the figures of one request."""
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for metric in (metric for scope in group.scope_metrics for metric in scope.metrics):
                self._take(metric)

    def _take(self, metric: Any) -> None:
        kind = metric.WhichOneof("data")
        for point in getattr(metric, kind).data_points:
            key = (metric.name, frozenset(_values(point.attributes).items()))
            if kind == "histogram":
                self.figures[key] = point.count
            else:
                self.figures[key] = getattr(point, point.WhichOneof("value"))


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect while the body runs."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            take = {
                "/v1/traces": collector.take_spans,
                "/v1/metrics": collector.take_figures,
            }[self.path]
            take(body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
