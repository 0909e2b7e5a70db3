"""OpenTelemetry's own parts, set up by the settings: what sends spans and figures, and keeps them.

Imported only where somebody collects. Threads of the SDK send; what they cannot send in time is
dropped and logged, and nobody waits for it but the end of the gateway, for `LAST_S` at most.
"""

import logging
import socket
import threading
from collections.abc import Callable
from urllib.parse import unquote

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from gateway.relay.places import Places
from gateway.settings import Settings
from gateway.telemetry.figures import Figures
from gateway.telemetry.tracing import Tracing
from gateway.variables import Metrics
from gateway.version import read_version
from supervisor.redaction import Redactor

log = logging.getLogger(__name__)

SEND_S = 10.0
"""Longest one sending takes."""
SEND_EVERY_S = 15.0
"""Figures; spans go every five seconds, or when there are 512 of them."""
LAST_S = 5.0
"""For what is left when the gateway ends."""
NAME = "claude_runner"


class Exporting:
    """What is collected from this gateway, and by whom."""

    def __init__(self, settings: Settings, redactor: Redactor) -> None:
        version, endpoint = read_version(), settings.otel_exporter_otlp_endpoint
        resource = Resource.create(
            {
                "service.name": "claude-runner",
                "service.version": version,
                "service.instance.id": f"{socket.gethostname()}:{settings.port}",
            }
        )
        readers: list[MetricReader] = []
        self._registry: CollectorRegistry | None = None
        self._spans: BatchSpanProcessor | None = None
        self.places: Places | None = None
        self.tracing: Tracing | None = None
        if settings.metrics is Metrics.ON:
            self._registry = CollectorRegistry()
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)
            readers.append(PrometheusMetricReader(registry=self._registry))
        if endpoint is not None:
            headers = _headers(settings, redactor)
            readers.append(
                PeriodicExportingMetricReader(
                    OTLPMetricExporter(f"{endpoint}/v1/metrics", headers=headers, timeout=SEND_S),
                    SEND_EVERY_S * 1000,
                )
            )
            self._spans = BatchSpanProcessor(
                OTLPSpanExporter(f"{endpoint}/v1/traces", headers=headers, timeout=SEND_S)
            )
            self.places = Places(settings.otel_traces_sampler_arg)
            self.tracing = Tracing(self._spans.on_end, resource, version, self.places)
        self._meters = MeterProvider(readers, resource)
        self.figures = Figures(self._meters.get_meter(NAME, version))

    @property
    def page(self) -> Callable[[], tuple[str, bytes]] | None:
        """Return what writes the page that Prometheus reads; None where it is off."""
        registry = self._registry
        if registry is None:
            return None
        return lambda: (CONTENT_TYPE_LATEST, generate_latest(registry))

    def close(self, within_s: float = LAST_S) -> None:
        """Send what is left, for so long at most; what is not sent by then is lost."""
        # The SDK's own bounds do not hold while a collector neither answers nor refuses.
        last = threading.Thread(target=self._send_last, name="last-telemetry", daemon=True)
        last.start()
        last.join(within_s)
        if last.is_alive():
            log.warning("The collector did not take the last traces and figures in %g s", within_s)

    def _send_last(self) -> None:
        if self._spans is not None:
            self._spans.shutdown()
        self._meters.shutdown(LAST_S * 1000)


def _headers(settings: Settings, redactor: Redactor) -> dict[str, str]:
    secret = settings.otel_exporter_otlp_headers
    pairs = [] if secret is None else secret.reveal().split(",")
    headers: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        headers[name.strip().lower()] = unquote(value.strip())
        redactor.know("OTEL_EXPORTER_OTLP_HEADERS", headers[name.strip().lower()])
    return headers
