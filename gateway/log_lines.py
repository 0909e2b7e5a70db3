"""Log lines: where they go, how they look, that none has a secret, and what they are about.

Above: `serving`, which has them written, and whoever knows what the lines that follow are about.
"""

import logging
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType

from gateway.variables import LogFormat
from supervisor.children.wire import encode
from supervisor.redaction import Redactor

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
NOTHING: Mapping[str, object] = MappingProxyType({})

_FACTS: ContextVar[Mapping[str, object]] = ContextVar("facts", default=NOTHING)


@contextmanager
def about(**facts: object) -> Generator[None]:
    """Say what lines are about that are written within the body, and by tasks begun there.

    Only JSON lines show it: `server`, `generation`, `run`, `correlation`.
    """
    reset = _FACTS.set({**_FACTS.get(), **facts})
    try:
        yield
    finally:
        _FACTS.reset(reset)


class TextFormatter(logging.Formatter):
    """Formats records, with their tracebacks, without secrets, for people."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(TEXT)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return self._redactor.hide_text(super().format(record))


class JsonFormatter(logging.Formatter):
    """Formats records as one JSON object a line, without secrets, for programs."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redactor.hide_text(record.getMessage()),
            **_FACTS.get(),
        }
        if record.exc_info:
            line["exception"] = self._redactor.hide_text(self.formatException(record.exc_info))
        return encode(line).decode()


def log_to_stderr(redactor: Redactor, chosen: LogFormat = LogFormat.TEXT) -> None:
    """Have everything that is logged, and what ends the process, go to standard error, hidden."""
    # Standard output may be an MCP pipe. Libraries speak up only when something is wrong.
    handler = logging.StreamHandler(sys.stderr)
    kind = JsonFormatter if chosen is LogFormat.JSON else TextFormatter
    handler.setFormatter(kind(redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("gateway", "claude_runner"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger().critical("The process ends", exc_info=(kind, error, trace))
