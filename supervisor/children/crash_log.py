"""The last crash reports of one server, kept in its folder so that they outlive the gateway."""

import logging
from collections import deque
from pathlib import Path

import msgspec

from supervisor.children.crash import CrashReport

log = logging.getLogger(__name__)

KEPT = 10
FILE = "crashes.json"
_READER = msgspec.json.Decoder(list[CrashReport])


class CrashLog:
    """Remembers reports, the newest last. Blocking, for some kilobytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reports: deque[CrashReport] | None = None

    @property
    def reports(self) -> tuple[CrashReport, ...]:
        """All that are kept, oldest first."""
        return tuple(self._read())

    @property
    def newest(self) -> CrashReport | None:
        """The last one."""
        reports = self._read()
        return reports[-1] if reports else None

    def add(self, report: CrashReport) -> None:
        """Keep a report; the oldest may have to go."""
        reports = self._read()
        reports.append(report)
        beside = self._path.with_name(FILE + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.touch(mode=0o600)
            beside.write_bytes(msgspec.json.encode(list(reports)))
            beside.replace(self._path)
        except OSError as error:
            log.warning("Crash reports of %s are kept in memory only: %s", report.server, error)

    def _read(self) -> deque[CrashReport]:
        if self._reports is None:
            self._reports = deque(self._stored(), KEPT)
        return self._reports

    def _stored(self) -> list[CrashReport]:
        try:
            return _READER.decode(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
            log.warning("Earlier crash reports cannot be read: %s", error)
            return []
