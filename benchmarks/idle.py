"""What servers cost the gateway that are registered and do not run."""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import plain
from tests.cli.gateways import make_place
from tests.e2e.conftest import wait_ready

METADATA = {"enabled": False}
SETTLE_S, LOOK_S = 2.0, 10.0
SETTLED_PERCENT = 5.0
MOST_SETTLING_S = 120.0
"""A gateway that finds a thousand new servers reads and records each of them once."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a gateway uses while nobody asks it for anything."""

    private_mib: float
    cpu_percent: float
    """Of one processor."""


def added(count: int) -> Cost:
    """Return what so many servers add to a gateway without any."""
    without, with_them = _gateway(0), _gateway(count)
    return Cost(
        with_them.private_mib - without.private_mib, with_them.cpu_percent - without.cpu_percent
    )


def _gateway(count: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="claude-runner-bench-") as name:
        place = make_place(Path(name))
        for number in range(count):
            folder = place.folder / "dynamic" / f"idle-{number}"
            folder.mkdir()
            (folder / "server.py").write_text(plain.SERVER.format(plus=0), encoding="utf-8")
            (folder / "metadata.json").write_text(json.dumps(METADATA), encoding="utf-8")
        with place.gateway() as live:
            wait_ready(live)
            return _cost(next(c for c in psutil.Process().children() if _serves(c, place.home)))


def _serves(process: psutil.Process, home: Path) -> bool:
    return process.environ().get("CLAUDE_RUNNER_HOME") == str(home)


def _cost(process: psutil.Process) -> Cost:
    deadline = time.monotonic() + MOST_SETTLING_S
    while _percent(process, SETTLE_S) > SETTLED_PERCENT and time.monotonic() < deadline:
        continue
    percent = _percent(process, LOOK_S)
    return Cost(process.memory_full_info().uss / 1024**2, percent)


def _percent(process: psutil.Process, seconds: float) -> float:
    begun, before = time.monotonic(), sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return 100 * (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - begun)
