"""One gateway per home: the lock that says so, and the file by which the command line finds it.

The lock is the truth; the file only says where the holder listens. Standard library only, because
every short command imports this.
"""

import fcntl
import json
import os
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

LOCK_NAME = "gateway.lock"
FILE_NAME = "gateway.json"

_FLOCK = struct.Struct("@hhqqi4x")
"""`struct flock` of 64-bit Linux (fcntl.h): type, whence, start, length, pid."""
_HELD, _SAID = 0, 1
"""Bytes of the lock file. Who locks the first has the home; with the second, too, the pid in the
file is his, and not that of an earlier holder which was killed."""


class HomeTaken(Exception):
    """Another process holds this home."""

    def __init__(self, home: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"The home {home} is in use by {holder}; stop it first, or set CLAUDE_RUNNER_HOME,"
            " and DATABASE_URL if both are to share their data."
        )
        self.home = home
        self.pid = pid


class HomeUnusable(Exception):
    """The home cannot be made or read by this user."""

    def __init__(self, home: Path, error: OSError) -> None:
        super().__init__(
            f"The home {home} cannot be used ({error.strerror}); set CLAUDE_RUNNER_HOME to a "
            "folder of yours."
        )
        self.home = home


class GatewayStarting(Exception):
    """A process holds the home and has not said yet where it listens."""

    def __init__(self, home: Path, pid: int | None) -> None:
        super().__init__(
            f"The gateway of {home} (process {pid or 'unknown'}) is starting or ending; "
            "try again in a moment."
        )
        self.pid = pid


@dataclass(frozen=True, slots=True)
class LiveGateway:
    """Where a running gateway listens and the token that its own home may use."""

    pid: int
    url: str
    """Origin without a trailing slash, such as ``http://127.0.0.1:8080``."""
    token: str = field(repr=False)
    version: str


class GatewayLock:
    """The exclusive hold on a home, kept until `release` or the end of the process.

    An open-file-description lock (fcntl(2)): it can be asked about without being taken, so that a
    command that looks never makes a starting gateway fail.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the home and write our pid into the lock file. Raises HomeTaken, HomeUnusable."""
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._home / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeUnusable(self._home, error) from error
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _byte(_HELD))
        except OSError as error:
            pid = _written_pid(fd)
            os.close(fd)
            raise HomeTaken(self._home, pid) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _byte(_SAID))
        self._fd = fd

    def release(self) -> None:
        """Let the home go; the file stays, or two processes could each lock a file of that name."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def publish(home: Path, live: LiveGateway) -> None:
    """Write `gateway.json`, readable by the owner only; the holder of the lock calls this."""
    beside = home / f".{FILE_NAME}.{os.getpid()}"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(asdict(live), file)
    beside.replace(home / FILE_NAME)


def withdraw(home: Path) -> None:
    """Remove `gateway.json`; the holder of the lock calls this before it lets go."""
    (home / FILE_NAME).unlink(missing_ok=True)


def find_live(home: Path) -> LiveGateway | None:
    """Return the gateway that holds `home`, None when none does.

    Raises GatewayStarting, HomeUnusable.
    """
    try:
        held, pid = _holder(home / LOCK_NAME)
    except OSError as error:
        raise HomeUnusable(home, error) from error
    if not held:
        return None
    live = _read(home / FILE_NAME)
    # A file with another pid was left by an earlier gateway that could not clean up.
    if live is None or live.pid != pid:
        raise GatewayStarting(home, pid)
    return live


def _read(path: Path) -> LiveGateway | None:
    try:
        written = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
        return LiveGateway(**written)
    except (OSError, ValueError, TypeError):
        return None


def _holder(path: Path) -> tuple[bool, int | None]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False, None
    try:
        # Asked first: what is said is looked at only while its holder has the home.
        said = _is_locked(fd, _SAID)
        return said or _is_locked(fd, _HELD), _written_pid(fd) if said else None
    finally:
        os.close(fd)


def _written_pid(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None


def _is_locked(fd: int, byte: int) -> bool:
    answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _byte(byte))
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _byte(which: int) -> bytes:
    return _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, which, 1, 0)
