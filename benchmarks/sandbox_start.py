"""From spawn to the first answered call: `python -m benchmarks.sandbox_start [ROUNDS]`.

One FastMCP server, started in three ways in turn: cold without a sandbox, cold at level strong,
warm at level strong. Medians of one run, so that a busy machine is busy for all three. Issue 3 asks
of a warm start at most 0.1 s and 1/20 of a cold start without a sandbox.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from sandboxes.launch import StartKind
from sandboxes.policy import Level
from supervisor.config import SupervisorConfig, WarmStarts
from supervisor.events import Event, WarmLost, WarmStarted
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor

ROUNDS = 15
START_S = 60.0
REHEARSAL = Path(__file__).resolve().parents[1] / "gateway" / "rehearsal.py"
SERVER = """
from fastmcp import FastMCP
mcp = FastMCP("adder")

@mcp.tool
def add(a: int, b: int) -> int:
    return a + b

if __name__ == "__main__":
    mcp.run(show_banner=False)
"""
CALL = {"name": "add", "arguments": {"a": 2, "b": 3}}


@dataclass
class Way:
    """One way to start the server, and how long it took each time."""

    name: str
    level: Level
    start: StartKind
    took_s: list[float] = field(default_factory=list)
    warm: anyio.Event = field(default_factory=anyio.Event)

    def heard(self, event: Event) -> None:
        """Notice a warm process, or that there is none."""
        if isinstance(event, WarmStarted):
            self.warm.set()
        if isinstance(event, WarmLost):
            raise SystemExit(event.reason)


async def no_credentials(_: ServerSpec) -> Mapping[str, str]:
    """Return nothing: this server needs nothing."""
    return {}


async def enter(stack: AsyncExitStack, way: Way, folder: Path) -> Supervisor:
    """Return a supervisor that starts the server in this way."""
    code = folder / "code" / "adder"
    code.mkdir(parents=True)
    (code / "server.py").write_text(SERVER, encoding="utf-8")
    (folder / "home" / "servers").mkdir(parents=True)
    is_warm = way.start is StartKind.WARM
    config = SupervisorConfig(
        home=folder / "home",
        python=Path(sys.executable),
        level=way.level,
        warm=WarmStarts(REHEARSAL, (folder / "code",)) if is_warm else None,
    )
    supervisor = Supervisor(config=config, credentials=no_credentials, emit=way.heard)
    await stack.enter_async_context(supervisor)
    spec = ServerSpec("adder", ServerKind.FIXED, code, "1", start_timeout_s=START_S)
    await supervisor.apply(spec, enabled=False)
    if is_warm:
        await way.warm.wait()
    return supervisor


async def measure(way: Way, supervisor: Supervisor) -> float:
    """Return the seconds from the order to start until a call is answered; leaves it stopped."""
    begun = time.perf_counter()
    await supervisor.enable("adder")
    await supervisor.request("adder", "tools/call", CALL)
    took_s = time.perf_counter() - begun
    assert supervisor.snapshot("adder").start is way.start
    await supervisor.disable("adder")
    return took_s


async def main(rounds: int) -> None:
    """Measure and print."""
    ways = (
        Way("cold, no sandbox", Level.OFF, StartKind.COLD),
        Way("cold, strong", Level.STRONG, StartKind.COLD),
        Way("warm, strong", Level.STRONG, StartKind.WARM),
    )
    with tempfile.TemporaryDirectory(prefix="claude-runner-bench-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101, S103 - children are other users
        async with AsyncExitStack() as stack:
            running = [
                await enter(stack, way, Path(name) / str(number)) for number, way in enumerate(ways)
            ]
            for way, supervisor in zip(ways, running, strict=True):
                # Once unmeasured: disk caches and folders are the same for all from here on.
                await measure(way, supervisor)
            for _ in range(rounds):
                for way, supervisor in zip(ways, running, strict=True):
                    way.took_s.append(await measure(way, supervisor))
    report(ways)


def report(ways: tuple[Way, ...]) -> None:
    """Print a table for a document."""
    plain = statistics.median(ways[0].took_s)
    rounds, user = len(ways[0].took_s), "root" if os.geteuid() == 0 else "plain user"
    print(f"{rounds} rounds, {os.cpu_count()} processors, {os.uname().machine}, as {user}\n")
    print("| Start | Median | Fastest | Slowest | Of cold without a sandbox |")
    print("| --- | --- | --- | --- | --- |")
    for way in ways:
        median = statistics.median(way.took_s)
        cells = [f"{value:.3f} s" for value in (median, min(way.took_s), max(way.took_s))]
        share = f"1/{plain / median:.1f}" if median < plain else f"{median / plain:.2f}"
        print("| " + " | ".join([way.name, *cells, share]) + " |")


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
