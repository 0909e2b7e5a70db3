"""The official conformance suite as a process, and what it found: scenario, check, statuses."""

import json
import re
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter, to_thread

from tests.toolchain import Toolchain

RUN_S = 120.0
_STARTED = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")

Check = tuple[str, str]
"""The names of a scenario and of one of its checks."""
Results = Mapping[Check, tuple[str, ...]]
"""Of each check its statuses: it may be made several times in one scenario."""


class Official:
    """Runs the suite, few processes at a time: some scenarios wait for milliseconds only."""

    def __init__(self, toolchain: Toolchain, folder: Path, *, at_once: int) -> None:
        self._command = (*toolchain.conformance, "server")
        self._folder = folder
        self._limiter = CapacityLimiter(at_once)

    async def run(self, url: str, revision: str, name: str) -> Results:
        """Return what the whole requirement set of a revision finds at an address."""
        return await self._run(url, name, "--requirements", revision)

    async def run_again(self, url: str, revision: str, scenario: str, name: str) -> Results:
        """Return what one scenario finds."""
        chosen = ("--scenario", scenario, "--spec-version", revision)
        return await self._run(url, f"{name}-{scenario}", *chosen)

    async def _run(self, url: str, name: str, *chosen: str) -> Results:
        into = self._folder / name
        command = [*self._command, "--url", url, *chosen, "-o", str(into)]
        run = partial(subprocess.run, command, capture_output=True, timeout=RUN_S, check=False)
        done = await to_thread.run_sync(run, limiter=self._limiter)
        found = _read(into)
        assert found, done.stdout + done.stderr
        return found


def _read(folder: Path) -> Results:
    found: dict[Check, tuple[str, ...]] = {}
    for results in sorted(folder.glob("*/checks.json")):
        scenario = _STARTED.sub("", results.parent.name).removeprefix("server-")
        for check in json.loads(results.read_text("utf-8")):
            key = (scenario, check["id"])
            found[key] = (*found.get(key, ()), check["status"])
    return found
