"""Opens telemetry by the settings. What is not asked for is not even imported: that takes a second.

Above: `main`. Below: `exporting`, which knows OpenTelemetry.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from gateway.domain.audit import AuditEntry, Outcome
from gateway.domain.run import Run
from gateway.late_imports import IMPORTING
from gateway.relay.ended import Ended, Report
from gateway.relay.places import Places
from gateway.relay.trace_context import TraceContext
from gateway.settings import Settings
from gateway.telemetry.seen import Seen
from gateway.variables import Metrics
from supervisor.events import Event
from supervisor.redaction import Redactor

if TYPE_CHECKING:
    # Only for its name: to import it takes a second, and few gateways need it.
    from gateway.telemetry.exporting import Exporting


Page = Callable[[], tuple[str, bytes]]
"""Returns a media type and a text of it."""


class Telemetry:
    """Is told what happened, and tells whoever collects it; that is nobody by default."""

    def __init__(self, exporting: "Exporting | None" = None) -> None:
        self._exporting = exporting
        self._figures = exporting and exporting.figures
        self._tracing = exporting and exporting.tracing
        self.places: Places | None = exporting and exporting.places
        """Gives calls a place in a trace; None where nobody collects traces."""

    @property
    def page(self) -> Page | None:
        """Return what writes the page that Prometheus reads; None where it is off."""
        return self._exporting and self._exporting.page

    @property
    def on(self) -> bool:
        """True where anybody collects."""
        return self._exporting is not None

    def reporting(self, report: Report) -> Report:
        """Return what the relay tells of its requests, besides `report`."""
        tracing, places = self._tracing, self.places
        if tracing is None or places is None:
            return report

        def told(ended: Ended) -> None:
            report(ended)
            tracing.call(ended, ended.place or places.of_caller(ended.caller))

        return told

    def invoked(
        self, place: TraceContext, server: str, tool: str, outcome: Outcome, took_s: float
    ) -> None:
        """Take a call of a server's tool by way of the management tools."""
        if self._tracing is not None:
            self._tracing.invoked(place, server, tool, outcome, took_s)

    def entry(self, entry: AuditEntry) -> None:
        """Take an entry of the audit log."""
        if self._figures is not None:
            self._figures.entry(entry)

    def run_ended(self, run: Run) -> None:
        """Take a run as it ended."""
        if self._figures is not None:
            self._figures.run_ended(run)
        if self._tracing is not None:
            self._tracing.run_ended(run)

    def hear(self, event: Event) -> None:
        """Take what the supervisor tells."""
        if self._figures is not None:
            self._figures.hear(event)
        if self._tracing is not None:
            self._tracing.hear(event)

    def see(self, seen: Seen) -> None:
        """Take what is true now."""
        if self._figures is not None:
            self._figures.seen = seen


@asynccontextmanager
async def open_telemetry(settings: Settings, redactor: Redactor) -> AsyncGenerator[Telemetry]:
    """Give what is told of everything; what it has collected is sent before this ends."""
    if settings.otel_exporter_otlp_endpoint is None and settings.metrics is Metrics.OFF:
        yield Telemetry()
        return
    exporting = await anyio.to_thread.run_sync(_open, settings, redactor)
    try:
        yield Telemetry(exporting)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(exporting.close)


def _open(settings: Settings, redactor: Redactor) -> "Exporting":
    with IMPORTING:
        # Takes a second, and few gateways need it.
        from gateway.telemetry.exporting import Exporting
    return Exporting(settings, redactor)
