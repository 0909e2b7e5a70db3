"""How many recipients got mail today (UTC): kept in DATA_DIR, so that a restart forgets nothing."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mailing.errors import MailError

STATE = ".state"


class DailyCap:
    """Counts before a mail is sent, so that a crash lets none more through."""

    def __init__(self, data_dir: Path, most: int) -> None:
        self._folder = data_dir / STATE
        self._most = most

    def left(self) -> int:
        """Return for how many recipients there is room today."""
        with self._locked():
            return max(0, self._most - self._read())

    def take(self, count: int) -> None:
        """Count recipients. Raises MailError: they are too many."""
        with self._locked():
            left = self._most - self._read() - count
            if left < 0:
                raise MailError(
                    f"The cap of {self._most} recipients a day (EMAIL_DAILY_CAP, UTC) leaves "
                    f"{max(0, left + count)} today, and this mail has {count}; send it tomorrow."
                )
            self._write(self._most - left)

    def give_back(self, count: int) -> None:
        """Take back what was counted for a mail that was certainly not sent."""
        with self._locked():
            self._write(max(0, self._read() - count))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold off another process of this server: while it is reloaded there are two."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> int:
        kept = self._folder / "sent.json"
        try:
            said = json.loads(kept.read_text("utf-8"))
            return int(said["count"]) if said["day"] == _today() else 0
        except FileNotFoundError:
            return 0
        except (ValueError, LookupError, TypeError) as error:
            raise MailError(f"{kept} cannot be read ({error}); remove it.") from error

    def _write(self, count: int) -> None:
        beside = self._folder / "sent.json.new"
        with beside.open("w", encoding="utf-8") as file:
            json.dump({"day": _today(), "count": count}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / "sent.json")


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
