"""Rooms in which real children are started at every level."""

import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandboxes import environment, interpreter, launch, ownership, probe
from sandboxes.policy import Level, Limits, Network, Policy
from sandboxes.python_server import NO_SERVER

CHILD_UID = ownership.UID_BASE + 7
GUARD_S = 30.0
"""A start takes 0.3 s; the guard only ends what hangs on a busy machine."""


def is_open_to_all(path: Path) -> bool:
    """Whether every folder on the way can be entered by any user."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in path.parents)


@dataclass(frozen=True)
class Room:
    """One server's folders, with a secret of the gateway beside them."""

    level: Level
    code: Path
    data: Path
    private: Path
    secret: Path
    python: Path

    @property
    def uid(self) -> int | None:
        """The child's user, when the tests run as root."""
        return CHILD_UID if os.geteuid() == 0 and self.level is not Level.OFF else None

    def policy(
        self,
        *,
        limits: Limits | None = None,
        network: Network | None = None,
        read_only: tuple[Path, ...] = (),
    ) -> Policy:
        """What a server is given that asks for nothing."""
        return Policy(
            self.level,
            self.data,
            read_only=(self.code, *interpreter.folders(self.python), *read_only),
            read_write=(self.private,),
            network=network or Network(),
            limits=limits or Limits(),
            uid=self.uid,
        )

    def write(self, code: str) -> Path:
        """Save the server's code."""
        script = self.code / "server.py"
        script.write_text(code, encoding="utf-8")
        return script

    def command(self, code: str) -> tuple[str, ...]:
        """The command of a Python server with this code."""
        return interpreter.python_command(self.python, self.write(code))

    def prepare(
        self, command: tuple[str, ...], *, policy: Policy | None = None, **credentials: str
    ) -> launch.Launch:
        """A start of this command in this room."""
        env = environment.child_environment(
            data_dir=self.data, private=self.private, declared=credentials
        )
        return launch.prepare(command, env=env, cwd=self.data, policy=policy or self.policy())

    def run(
        self, code: str, *arguments: str, policy: Policy | None = None, **credentials: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python code as a server to its end."""
        command = (*self.command(code), *arguments)
        return finish(self.prepare(command, policy=policy, **credentials))

    def output(
        self, code: str, *arguments: str, policy: Policy | None = None, **credentials: str
    ) -> str:
        """What code prints that must not fail."""
        done = self.run(code, *arguments, policy=policy, **credentials)
        assert (done.returncode, done.stderr.removeprefix(f"{NO_SERVER}\n")) == (0, "")
        return done.stdout


def finish(ready: launch.Launch) -> subprocess.CompletedProcess[str]:
    """Start a child as the supervisor does, and wait for its end."""
    return subprocess.run(
        ready.argv,
        env=dict(ready.env),
        cwd=ready.cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        start_new_session=True,
        check=False,
    )


def python_for(level: Level) -> Path:
    """An interpreter that a child of this level can read, whoever runs the tests."""
    own, system = Path(sys.executable), Path("/usr/bin/python3")
    if level is not Level.REDUCED or os.geteuid() != 0 or is_open_to_all(own.resolve()):
        return own
    if system.exists():
        return system
    pytest.skip("level reduced as root needs an interpreter outside of root's home folder")


def open_to_all(folder: Path) -> None:
    """Let other users in: pytest closes its folders, and a child of root is another user."""
    for step in (folder, *folder.parents):
        seen = step.stat()
        if seen.st_uid == os.geteuid() and not seen.st_mode & stat.S_IXOTH:
            step.chmod(seen.st_mode | stat.S_IXOTH | stat.S_IROTH)


def build_room(level: Level, folder: Path) -> Room:
    """Make the folders of one server."""
    open_to_all(folder)
    code, data, private = folder / "code", folder / "data", folder / "private"
    code.mkdir()
    secret = folder / "gateway.env"
    secret.write_text("OAUTH_SECRET_KEY=very-secret", encoding="utf-8")
    secret.chmod(0o644)
    room = Room(level, code, data, private, secret, python_for(level))
    ownership.make_folders(data, private, room.uid)
    return room


def skip_unless_available(level: Level) -> None:
    """Skip, with the reason that a user would read."""
    reason = probe.problem(level)
    if reason is not None:
        pytest.skip(f"level {level.value}: {reason}")


@pytest.fixture(scope="session", params=list(Level), ids=[level.value for level in Level])
def any_level(request: pytest.FixtureRequest) -> Level:
    """Each level in turn."""
    skip_unless_available(request.param)
    return request.param


@pytest.fixture(
    scope="session",
    params=[Level.STRONG, Level.REDUCED],
    ids=[level.value for level in (Level.STRONG, Level.REDUCED)],
)
def confined_level(request: pytest.FixtureRequest) -> Level:
    """Each level that confines."""
    skip_unless_available(request.param)
    return request.param


@pytest.fixture
def room(any_level: Level, tmp_path: Path) -> Room:
    """A room at each level."""
    return build_room(any_level, tmp_path)


@pytest.fixture
def confined(confined_level: Level, tmp_path: Path) -> Room:
    """A room at each level that confines."""
    return build_room(confined_level, tmp_path)


@pytest.fixture
def strong(tmp_path: Path) -> Room:
    """A room at level strong."""
    skip_unless_available(Level.STRONG)
    return build_room(Level.STRONG, tmp_path)
