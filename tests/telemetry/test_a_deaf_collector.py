"""A collector that takes a connection and never answers holds up nobody for long."""

import socket
import time
from pathlib import Path

from gateway.domain.audit import Outcome
from gateway.settings import load
from gateway.telemetry.exporting import Exporting
from supervisor.redaction import Redactor


def test_the_end_waits_so_long_and_no_longer(tmp_path: Path) -> None:
    """Ours: systemd kills what has not ended after 25 s, and runs are still to be stored."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        settings = load(
            {
                "CLAUDE_RUNNER_HOME": str(tmp_path / "home"),
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{deaf.getsockname()[1]}",
            },
            None,
        )
        collected = Exporting(settings, Redactor())
        assert collected.tracing is not None
        assert collected.places is not None
        collected.tracing.invoked(collected.places.of_caller(None), "x", "y", Outcome.OK, 0.1)
        began = time.monotonic()
        collected.close(within_s=0.2)
        assert time.monotonic() - began < 5
