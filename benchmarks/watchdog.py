"""What the watch over limits costs: `python -m benchmarks.watchdog [CHILDREN] [SECONDS]`.

Starts real MCP servers, lets them write to their folders now and then, and prints the share of
one processor that measuring them takes. Issue 3 allows 3% with 20 children.
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio

from sandboxes import probe
from sandboxes.policy import Level
from supervisor.events import Event
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor, SupervisorConfig
from supervisor.watch import Breach, Watch

RAW_SERVER = Path(__file__).parents[1] / "tests" / "supervisor" / "raw_server.py"
FILES = 500
BUSY_EVERY_S = 1.0


@dataclass
class Meter:
    """Processor time of one kind of check."""

    checks: int = 0
    seconds: float = 0.0


def measured(check: object, meter: Meter) -> object:
    """Return the check with its processor time added up."""

    def run(watched: object) -> list[Breach]:
        begun = time.thread_time()
        breaches = check(watched)  # type: ignore[operator]
        meter.seconds += time.thread_time() - begun
        meter.checks += 1
        return breaches

    return run


def spec(number: int) -> ServerSpec:
    """Return one server."""
    return ServerSpec(
        name=f"server-{number}",
        kind=ServerKind.FIXED,
        code_dir=RAW_SERVER.parent,
        digest="1",
        command=(sys.executable, "-S", "-E", str(RAW_SERVER)),
        read_only=(Path(sys.prefix), Path(sys.base_prefix)),
    )


async def no_credentials(spec: ServerSpec) -> Mapping[str, str]:
    """Return nothing: these servers need nothing."""
    return {}


def ignore(event: Event) -> None:
    """Take an event without a word."""


async def watch(home: Path, children: int, seconds: float) -> None:
    """Run so many servers for so long and print what their watch cost."""
    level = probe.available_level()
    config = SupervisorConfig(home=home, python=Path(sys.executable), level=level)
    processes, disk = Meter(), Meter()
    Watch.check_processes = measured(Watch.check_processes, processes)  # type: ignore[assignment]
    supervisor = Supervisor(config=config, credentials=no_credentials, emit=ignore)
    watcher = supervisor.watch
    watcher.check_processes = measured(watcher.check_processes, processes)  # type: ignore
    watcher.check_disk = measured(watcher.check_disk, disk)  # type: ignore
    async with supervisor:
        pass
