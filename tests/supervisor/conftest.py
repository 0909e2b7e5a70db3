"""A supervisor over real children that start in milliseconds."""

import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest

from sandboxes.policy import Level
from supervisor.config import SupervisorConfig
from supervisor.events import Event, ServerState
from supervisor.slots.restart import RestartPolicy
from supervisor.snapshot import ServerSnapshot
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor
from tests.waiting import PATIENCE_S, until

RAW_SERVER = Path(__file__).parent / "raw_server.py"
GUARD_S = PATIENCE_S
IMPATIENT = RestartPolicy(base_s=0.02, cap_s=0.1, max_deaths=1000)


@dataclass
class Stage:
    """A supervisor, what it said, and ways to wait for it."""

    supervisor: Supervisor
    home: Path
    events: list[Event] = field(default_factory=list)
    guard_s: float = GUARD_S
    listeners: list[Callable[[Event], None]] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        """Remember an event and tell it on."""
        self.events.append(event)
        for listener in self.listeners:
            listener(event)

    def said(self, kind: type) -> list:
        """Return the events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, fact: Callable[[], bool]) -> None:
        """Return once the fact holds."""
        await until(fact, self.guard_s)

    async def until_state(self, name: str, state: ServerState) -> ServerSnapshot:
        """Return the server once it is in a state, which may last for one turn of the loop."""
        with anyio.fail_after(self.guard_s):
            while self.supervisor.snapshot(name).state is not state:
                await anyio.lowlevel.checkpoint()
        return self.supervisor.snapshot(name)

    async def start(self, spec: ServerSpec) -> ServerSnapshot:
        """Add a server and return it when its start has ended."""
        await self.supervisor.apply(spec, enabled=True)
        return await self.supervisor.wait_settled(spec.name, self.guard_s)

    async def call(self, name: str, tool: str, **arguments: object) -> str:
        """Call a tool and return its text."""
        params = {"name": tool, "arguments": arguments}
        result = await self.supervisor.request(name, "tools/call", params)
        return result["content"][0]["text"]


def raw_spec(name: str, *behaviours: str, **changes: object) -> ServerSpec:
    """Return the spec of a raw server."""
    spec = ServerSpec(
        name=name,
        kind=ServerKind.DYNAMIC,
        code_dir=RAW_SERVER.parent,
        digest=" ".join(behaviours),
        command=(sys.executable, "-S", "-E", str(RAW_SERVER), *behaviours),
        start_timeout_s=GUARD_S,
    )
    return replace(spec, **changes)


@asynccontextmanager
async def open_stage(
    home: Path,
    *,
    restart: RestartPolicy = IMPATIENT,
    credentials: dict[str, str] | None = None,
    pins: Mapping[str, bytes] | None = None,
) -> AsyncGenerator[Stage]:
    """Enter a supervisor at level off: confinement is another floor's test."""

    async def values(spec: ServerSpec) -> dict[str, str]:
        return credentials or {}

    config = SupervisorConfig(
        home=home, python=Path(sys.executable), level=Level.OFF, restart=restart
    )
    stage: Stage
    supervisor = Supervisor(
        config=config, credentials=values, emit=lambda event: stage.emit(event), pins=pins
    )
    stage = Stage(supervisor, home)
    async with supervisor:
        yield stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """A supervisor with impatient restarts and no servers."""
    async with open_stage(tmp_path) as opened:
        yield opened
