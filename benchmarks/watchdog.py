"""What the watch over limits costs: `python -m benchmarks.watchdog [CHILDREN] [SECONDS]`.

Starts servers at the tightest level there is and prints which share of one processor this process
takes while it does nothing but watch them: first idle, then with each writing a file per second
(then the calls that make them write are in the figure too). Issue 3 allows 3% with 20 children.
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import anyio

from sandboxes import probe
from sandboxes.policy import Level
from supervisor.config import SupervisorConfig
from supervisor.events import Event
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor

RAW_SERVER = Path(__file__).resolve().parents[1] / "tests" / "supervisor" / "raw_server.py"
FILES = 500
START_S = 60.0


def spec(number: int) -> ServerSpec:
    """Return one server."""
    return ServerSpec(
        name=f"server-{number}",
        kind=ServerKind.FIXED,
        code_dir=RAW_SERVER.parent,
        digest="1",
        command=(sys.executable, "-S", "-E", str(RAW_SERVER)),
        read_only=(Path(sys.prefix), Path(sys.base_prefix)),
        start_timeout_s=START_S,
    )


async def no_credentials(_: ServerSpec) -> Mapping[str, str]:
    """Return nothing: these servers need nothing."""
    return {}


def ignore(_: Event) -> None:
    """Take an event without a word."""


async def fill(supervisor: Supervisor, name: str, files: int) -> None:
    """Let a server write files into its DATA_DIR."""
    arguments = {"files": files, "bytes_each": 1000}
    await supervisor.request(name, "tools/call", {"name": "fill", "arguments": arguments})


async def share(supervisor: Supervisor, seconds: float, *, writing: bool) -> float:
    """Return processor time over passed time."""
    processor, begun = time.process_time(), time.monotonic()
    while (passed := time.monotonic() - begun) < seconds:
        if writing:
            for name in supervisor.names:
                await fill(supervisor, name, 1)
        await anyio.sleep(min(1.0, seconds - passed))
    return (time.process_time() - processor) / (time.monotonic() - begun)


async def measure(home: Path, level: Level, children: int, seconds: float) -> None:
    """Start the servers and print both figures."""
    config = SupervisorConfig(home=home, python=Path(sys.executable), level=level)
    async with Supervisor(config=config, credentials=no_credentials, emit=ignore) as supervisor:
        for number in range(children):
            await supervisor.apply(spec(number), enabled=True)
            seen = await supervisor.wait_settled(f"server-{number}", START_S)
            if seen.pid is None:
                raise SystemExit(f"server-{number} did not start: {seen.reason}")
            await fill(supervisor, seen.name, FILES)
        idle = await share(supervisor, seconds, writing=False)
        busy = await share(supervisor, seconds, writing=True)
    print(f"{children} children at level {level}, {FILES} files each, {seconds:g} s:")
    print(f"  idle     {idle:.2%} of a processor")
    print(f"  writing  {busy:.2%} of a processor, the calls included")


def main() -> None:
    """Measure in a home that is thrown away."""
    children = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    with tempfile.TemporaryDirectory(prefix="claude-runner-benchmark-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        anyio.run(measure, home, probe.available_level(), children, seconds)


if __name__ == "__main__":
    main()
