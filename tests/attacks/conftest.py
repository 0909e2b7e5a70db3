"""Real children that attack, a healthy neighbour, and all that there is to aim at."""

import json
import shutil
import socket
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandboxes import interpreter
from sandboxes.policy import MIB, Level, Limits
from supervisor.config import SupervisorConfig
from supervisor.events import Event
from supervisor.restart import RestartPolicy
from supervisor.spec import DeclaredCredential, ServerKind, ServerSpec
from supervisor.supervisor import Supervisor
from tests.attacks.table import Table
from tests.demonstrations import Demonstrations
from tests.sandboxes.conftest import open_to_all, python_for, skip_unless_available

ATTACKER = Path(__file__).parent / "attacker"
SECRET = "canary-5ae1c6"
GUARD_S = 30.0
SMALL = Limits(
    memory_bytes=192 * MIB,
    address_space_bytes=320 * MIB,
    processes=40,
    open_files=64,
    file_size_bytes=16 * MIB,
    data_dir_bytes=64 * MIB,
    data_dir_files=2000,
)
START_METHODS = ("cold",)
"""How a child comes to life; a command of its own is always started cold."""


@dataclass
class Arena:
    """A supervisor with an attacker, and what it says."""

    supervisor: Supervisor
    level: Level
    start_method: str
    home: Path
    code: Path
    python: Path
    targets: dict[str, object]
    events: list[Event] = field(default_factory=list)

    def spec(self, name: str, limits: Limits = SMALL, *, secret: bool = False) -> ServerSpec:
        """Return a server with the attacker's code."""
        script = self.code / "server.py"
        return ServerSpec(
            name=name,
            kind=ServerKind.DYNAMIC,
            code_dir=self.code,
            digest="1",
            command=interpreter.python_command(self.python, script),
            read_only=interpreter.folders(self.python),
            credentials=(DeclaredCredential("SECRET"),) if secret else (),
            limits=limits,
            start_timeout_s=GUARD_S,
            call_timeout_s=GUARD_S,
        )

    async def start(self, spec: ServerSpec) -> None:
        """Start a server, and return when it can be called."""
        await self.supervisor.apply(spec, enabled=True)
        seen = await self.supervisor.wait_settled(spec.name, GUARD_S)
        assert seen.state.value == "ready", (seen.reason, seen.stderr_tail)

    async def call(
        self, name: str, tool: str, arguments: Mapping[str, object] | None = None
    ) -> Any:
        """Call a tool and return what it says."""
        params = {"name": tool, "arguments": arguments or {}}
        result = await self.supervisor.request(name, "tools/call", params)
        return json.loads(result["content"][0]["text"])

    def alive(self) -> list[psutil.Process]:
        """Return every process that runs the attacker's code, wherever it went."""
        return running(self.code)


def running(code: Path) -> list[psutil.Process]:
    """Return every process, started or forked, that runs the code of a folder."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            ended = process.status() == psutil.STATUS_ZOMBIE
            if not ended and str(code / "server.py") in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def copy_code(folder: Path) -> Path:
    """Put the attacker's code where a child may read it."""
    code = folder / "code"
    shutil.copytree(ATTACKER, code, ignore=shutil.ignore_patterns("__pycache__"))
    return code


def make_gateway_files(home: Path) -> dict[str, object]:
    """Write what a gateway holds, closed by nothing but the sandbox."""
    files = {
        "database": home / "jobs.db",
        "env_file": home / ".env",
        "master_key": home / "master.key",
        "gateway_json": home / "gateway.json",
    }
    for path in files.values():
        path.write_text(SECRET, encoding="utf-8")
        path.chmod(0o666)
    return {**{name: str(path) for name, path in files.items()}, "home": str(home)}


@contextmanager
def listeners(folder: Path) -> Generator[dict[str, object]]:
    """Listen as a gateway does, by TCP and by Unix sockets."""
    path, abstract = folder / "s", f"attacks-{folder.name}-{id(folder)}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as nameless,
    ):
        named.bind(str(path))
        path.chmod(0o777)
        nameless.bind("\0" + abstract)
        named.listen()
        nameless.listen()
        yield {
            "port": tcp.getsockname()[1],
            "unix_path": str(path),
            "unix_abstract": abstract,
        }


@asynccontextmanager
async def open_arena(folder: Path, level: Level, start_method: str) -> AsyncGenerator[Arena]:
    """Enter a supervisor with a neighbour that holds secrets."""
    open_to_all(folder)
    home = folder / "home"
    home.mkdir()
    home.chmod(0o755)
    code = copy_code(folder)
    arena: Arena

    async def values(spec: ServerSpec) -> dict[str, str]:
        return {"SECRET": SECRET}

    config = SupervisorConfig(
        home=home,
        python=python_for(level),
        level=level,
        restart=RestartPolicy(base_s=0.02, cap_s=0.1, max_deaths=1000),
    )
    supervisor = Supervisor(
        config=config, credentials=values, emit=lambda event: arena.events.append(event)
    )
    targets = make_gateway_files(home)
    arena = Arena(supervisor, level, start_method, home, code, config.python, targets)
    with listeners(folder) as open_ports:
        async with supervisor:
            await arena.start(arena.spec("neighbour", secret=True))
            targets |= open_ports | aim_at_neighbour(arena)
            yield arena


def aim_at_neighbour(arena: Arena) -> dict[str, object]:
    """Return where the neighbour's things are."""
    folder = arena.home / "servers" / "neighbour"
    for name in ("data", "private"):
        file = folder / name / "kept"
        file.write_text(SECRET, encoding="utf-8")
        file.chmod(0o666)
    other = arena.code.parent / "neighbour.py"
    other.write_text(SECRET, encoding="utf-8")
    child = arena.supervisor.snapshot("neighbour").pid
    assert child is not None
    return {
        "neighbour_data": str(folder / "data" / "kept"),
        "neighbour_private": str(folder / "private" / "kept"),
        "neighbour_code": str(other),
        "neighbour_pid": child,
        "gateway_pid": psutil.Process().pid,
        "sandboxes": str(interpreter.SANDBOXES),
        "secret": SECRET,
    }


def names_in_registry(registry: str) -> tuple[str, ...]:
    """Return the names that the attacker registers, without running any of it."""
    names: list[str] = []
    for path in sorted(ATTACKER.glob("*.py")):
        lines = path.read_text("utf-8").splitlines()
        for mark, line in pairwise(lines):
            if mark == f"@{registry}":
                names.append(line.removeprefix("def ").partition("(")[0])
    return tuple(names)


ATTACKS = names_in_registry("attack")
BOMBS = names_in_registry("bomb")


@pytest.fixture(scope="session", params=START_METHODS)
def start_method(request: pytest.FixtureRequest) -> str:
    """Each way in which a child comes to life."""
    return request.param


@pytest.fixture
async def arena(
    confined_level: Level, start_method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Arena]:
    """An arena at each level that confines."""
    monkeypatch.setenv("OAUTH_SECRET_KEY", SECRET)
    async with open_arena(tmp_path, confined_level, start_method) as opened:
        yield opened


@pytest.fixture(
    scope="session", params=[Level.STRONG, Level.REDUCED], ids=lambda level: level.value
)
def confined_level(request: pytest.FixtureRequest) -> Level:
    """Each level that confines."""
    skip_unless_available(request.param)
    return request.param


@pytest.fixture(scope="session")
def table(demonstrations: Demonstrations) -> Generator[Table]:
    """Collects what each attack met; a full run writes it into docs/sandbox.md."""
    collected = Table()
    yield collected
    if demonstrations.full:
        collected.write()
