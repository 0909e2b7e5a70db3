"""One slice of load on one way to a server, and what it showed."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.relay.calls import ToolCall
from benchmarks.relay.usage import Used

SCRIPT = Path(__file__).with_name("load.lua")
PATIENCE_S = 30
"""How long wrk waits for an answer, and we for wrk beyond its slice."""
MARK = "MEASURED"


@dataclass(frozen=True, slots=True)
class Slice:
    """What some seconds of load showed."""

    calls: int
    seconds: float
    bad: int
    p50_ms: float
    p99_ms: float
    cpu: Used | None = None
    """Processor seconds of the gateway; None where there is none."""

    @property
    def rate(self) -> float:
        """Good calls per second."""
        return (self.calls - self.bad) / self.seconds

    def cpu_us(self) -> tuple[float, float]:
        """Return microseconds of processor per call: the gateway alone, and with its child."""
        assert self.cpu is not None
        calls = max(1, self.calls)
        return self.cpu.alone / calls * 1e6, self.cpu.with_children / calls * 1e6


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls go over HTTP."""

    url: str
    headers: dict[str, str]
    rest: bool = False
    """No JSON-RPC: only the tool's name and arguments are sent, as mcp-hub takes them."""

    def body(self, call: ToolCall) -> tuple[str, str]:
        """Return the body of a call before and after its id; without an id, all of it and ""."""
        if not self.rest:
            return call.around_id()
        asked = {"server_name": "measured", "tool": call.tool, "arguments": call.arguments}
        return json.dumps(asked), ""


def find_wrk() -> str:
    """Return the load generator. Raises SystemExit with what to install."""
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("wrk, the load generator, is missing: apt-get install wrk")
    return found


def over_http(target: Target, call: ToolCall, callers: int, seconds: int) -> Slice:
    """Load a gateway with so many callers, each with a connection of its own.

    Raises:
        OSError: wrk came to no result.
        TimeoutExpired: it did not come to an end.
    """
    before, after = target.body(call)
    environ = {
        "PATH": os.defpath,
        "HEADERS": ";".join(f"{name}={value}" for name, value in target.headers.items()),
        "BEFORE": before,
        "AFTER": after,
        "EXPECTED": call.expected,
        "LEAST": str(call.least_bytes),
    }
    options = (f"-c{callers}", f"-d{seconds}s", f"--timeout={PATIENCE_S}s", f"-s{SCRIPT}")
    done = subprocess.run(
        (find_wrk(), "-t1", *options, target.url),
        env=environ,
        capture_output=True,
        text=True,
        timeout=seconds + PATIENCE_S,
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            return _read(json.loads(line.removeprefix(MARK)))
    raise OSError(f"wrk said {(done.stdout + done.stderr)[-300:]!r}")


def _read(said: dict[str, int]) -> Slice:
    return Slice(
        calls=said["calls"],
        seconds=said["micros"] / 1e6,
        bad=said["bad"],
        p50_ms=said["p50_us"] / 1000,
        p99_ms=said["p99_us"] / 1000,
    )
