"""Real children that attack, a healthy neighbour, and all that there is to aim at."""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from gateway.supervising import REHEARSAL
from sandboxes import interpreter
from sandboxes.launch import StartKind
from sandboxes.ownership import UID_BASE
from sandboxes.policy import MIB, Level, Limits
from supervisor.config import SupervisorConfig, WarmStarts
from supervisor.events import Event, WarmLost, WarmStarted, WentCold
from supervisor.slots.restart import RestartPolicy
from supervisor.spec import DeclaredCredential, ServerKind, ServerSpec
from supervisor.supervisor import Supervisor
from tests.attacks.table import Table
from tests.demonstrations import Demonstrations
from tests.sandboxes.conftest import open_to_all, python_for, skip_unless_available

ATTACKER = Path(__file__).parent / "attacker"
SECRET = "canary-5ae1c6d09b47e3"
GUARD_S = 30.0
SMALL = Limits(
    memory_bytes=192 * MIB,
    address_space_bytes=768 * MIB,
    processes=40,
    open_files=64,
    file_size_bytes=16 * MIB,
    data_dir_bytes=64 * MIB,
    data_dir_files=2000,
)
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
UIDS = 1000
"""Users for one worker's attackers: the kernel counts processes by user, and bombs have many."""
Way = tuple[Level, StartKind]
WAYS: tuple[Way, ...] = (
    (Level.STRONG, StartKind.COLD),
    (Level.STRONG, StartKind.WARM),
    (Level.REDUCED, StartKind.COLD),
)
"""Every way into a sandbox: there are forks at level strong alone."""


def name_of(way: Way) -> str:
    """Return how tests and tables call a way."""
    level, start = way
    return level.value if start is StartKind.COLD else f"{level.value}, {start.value}"


@dataclass
class Arena:
    """A supervisor with an attacker, and what it says."""

    supervisor: Supervisor
    way: Way
    home: Path
    code: Path
    targets: dict[str, object]
    events: list[Event] = field(default_factory=list)

    def spec(self, name: str, limits: Limits = SMALL, *, secret: bool = False) -> ServerSpec:
        """Return a server with the attacker's code, and no command of its own: it may be forked."""
        return ServerSpec(
            name=name,
            kind=ServerKind.DYNAMIC,
            code_dir=self.code,
            digest="1",
            credentials=(DeclaredCredential("SECRET"),) if secret else (),
            limits=limits,
            start_timeout_s=GUARD_S,
            call_timeout_s=GUARD_S,
        )

    async def start(self, spec: ServerSpec) -> None:
        """Start a server, and return when it can be called."""
        await self.supervisor.apply(spec, enabled=True)
        seen = await self.supervisor.wait_settled(spec.name, GUARD_S)
        assert seen.state.value == "ready", "\n".join((seen.reason, *seen.stderr_tail))
        why = [event for event in self.events if isinstance(event, WarmLost | WentCold)]
        assert seen.start is self.way[1], why

    async def call(
        self, name: str, tool: str, arguments: Mapping[str, object] | None = None
    ) -> Any:
        """Call a tool and return what it says."""
        params = {"name": tool, "arguments": arguments or {}}
        result = await self.supervisor.request(name, "tools/call", params)
        return json.loads(result["content"][0]["text"])


def copy_code(folder: Path) -> Path:
    """Put the attacker's code where a child may read it, below the folder of all servers' code."""
    code = folder / "code" / "attacker"
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
async def open_arena(folder: Path, way: Way) -> AsyncGenerator[Arena]:
    """Enter a supervisor with a neighbour that holds secrets."""
    level, start = way
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
        uid_base=UID_BASE + UIDS * (1 + WORKER),
        restart=RestartPolicy(base_s=0.02, cap_s=0.1, max_deaths=1000),
        warm=WarmStarts(REHEARSAL, (code.parent,)) if start is StartKind.WARM else None,
    )
    warm = anyio.Event()

    def emit(event: Event) -> None:
        arena.events.append(event)
        if isinstance(event, WarmStarted):
            warm.set()

    supervisor = Supervisor(config=config, credentials=values, emit=emit)
    targets = make_gateway_files(home)
    arena = Arena(supervisor, way, home, code, targets)
    with listeners(folder) as open_ports:
        async with supervisor:
            if start is StartKind.WARM:
                with anyio.fail_after(GUARD_S):
                    await warm.wait()
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
        "hint": hint(SECRET),
    }


def hint(secret: str) -> dict[str, object]:
    """Return what an attacker is told of a secret: enough to know it when it finds it."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return {"begins": secret[:6], "length": len(secret), "digest": digest}


def names_in_registry(registry: str) -> tuple[str, ...]:
    """Return the names that the attacker registers, without running any of it."""
    names: list[str] = []
    # First what looks for secrets in memory, where the attacks themselves leave things.
    for path in sorted(ATTACKER.glob("*.py"), key=lambda path: (path.stem != "forks", path.stem)):
        lines = path.read_text("utf-8").splitlines()
        for mark, line in pairwise(lines):
            if mark == f"@{registry}":
                names.append(line.removeprefix("def ").partition("(")[0])
    return tuple(names)


ATTACKS = names_in_registry("attack")
BOMBS = names_in_registry("bomb")


@pytest.fixture(scope="session", params=WAYS, ids=name_of)
def way(request: pytest.FixtureRequest) -> Way:
    """Each way into a sandbox."""
    skip_unless_available(request.param[0])
    return request.param


@pytest.fixture(scope="session")
async def arena(way: Way, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Arena]:
    """An arena for each way, shared by all tests: each starts attackers of its own in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OAUTH_SECRET_KEY", SECRET)
        async with open_arena(tmp_path_factory.mktemp("arena"), way) as opened:
            yield opened


@pytest.fixture(scope="session")
def table(demonstrations: Demonstrations) -> Generator[Table]:
    """Collects what each attack met; a full run writes it into docs/sandbox.md."""
    collected = Table()
    yield collected
    if demonstrations.full:
        collected.write()
