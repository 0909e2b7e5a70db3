"""A private PostgreSQL for the tests: one cluster per session, as many databases as asked for.

It listens on a Unix socket in a temporary folder, runs as its own user when the tests run as root
(PostgreSQL refuses root), writes nothing to disk on purpose, and ends with the tests however these
end.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from gateway.domain.ids import new_id

READY = "database system is ready to accept connections"
STOP_TIMEOUT_S = 10.0
DEBIAN_PLACES = Path("/usr/lib/postgresql")
UNPRIVILEGED = ("postgres", "nobody")
TEST_ONLY_OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "listen_addresses=",
    "max_connections=60",
    "shared_buffers=16MB",
    "autovacuum=off",
    "log_min_messages=log",
)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running cluster."""

    socket_folder: Path

    def url(self, database: str) -> str:
        """Return what DATABASE_URL would say for this database."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.socket_folder))}"

    @contextmanager
    def database(self) -> Generator[str]:
        """Make an empty database, yield its URL, drop it."""
        name = new_id("test")
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield self.url(name)
            finally:
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
                connection.execute(drop.format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that only these tests use."""
    with cluster() as running:
        yield running


@contextmanager
def cluster() -> Generator[Postgres]:
    """Start a private cluster, yield it, end it and remove its files."""
    programs = find_programs()
    with ExitStack() as stack:
        # Short, for a socket's path has at most 107 bytes.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pg-")))
        identity = _identity()
        if identity is not None:
            os.chown(folder, identity.pw_uid, identity.pw_gid)
        data = folder / "data"
        _initialise(programs, data, identity)
        options = [f"unix_socket_directories={folder}", *TEST_ONLY_OPTIONS]
        command = [str(programs / "postgres"), "-D", str(data)]
        command += [part for option in options for part in ("-c", option)]
        stack.enter_context(_running(command, identity))
        yield Postgres(folder)


def find_programs() -> Path:
    """Return the folder of `initdb` and `postgres`; the newest release when there are several."""
    on_path = shutil.which("postgres")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(DEBIAN_PLACES.glob("*/bin"), key=_release, reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise FileNotFoundError("PostgreSQL is not installed; run: apt-get install postgresql")


def _release(place: Path) -> int:
    name = place.parent.name
    return int(name) if name.isdigit() else 0


def _identity() -> pwd.struct_passwd | None:
    """Return the user to become, or None to stay who we are."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise LookupError(f"PostgreSQL refuses root and there is no user {' or '.join(UNPRIVILEGED)}")


def _as_user(identity: pwd.struct_passwd | None, command: list[str]) -> list[str]:
    # setpriv sets the signal after the change of user, which would clear it.
    prefix = ["setpriv", "--pdeathsig", "INT"]
    if identity is not None:
        user, group = str(identity.pw_uid), str(identity.pw_gid)
        prefix += ["--reuid", user, "--regid", group, "--clear-groups"]
    return [*prefix, *command]


def _initialise(programs: Path, data: Path, identity: pwd.struct_passwd | None) -> None:
    command = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
    command += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    done = subprocess.run(
        _as_user(identity, command), capture_output=True, text=True, cwd="/", timeout=60
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")


@contextmanager
def _running(command: list[str], identity: pwd.struct_passwd | None) -> Generator[None]:
    """Hold a server that accepts connections."""
    process = subprocess.Popen(
        _as_user(identity, command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        start_new_session=True,
    )
    assert process.stderr is not None
    log = deque[str](maxlen=50)
    drain = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    try:
        for line in process.stderr:
            log.append(line)
            if READY in line:
                break
        else:
            raise RuntimeError(f"PostgreSQL did not start: {''.join(log)}")
        drain.start()
        yield
    finally:
        _end(process)
        if drain.is_alive():
            # Closed under its hands the stream would fail the test that runs then.
            drain.join(STOP_TIMEOUT_S)
        process.stderr.close()


def _end(process: subprocess.Popen[str]) -> None:
    # Immediate shutdown: nothing in the cluster is worth a checkpoint.
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
