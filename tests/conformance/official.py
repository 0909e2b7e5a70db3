"""The official conformance suite as a process, and what it found: scenario, check, statuses."""

import json
import re
import subprocess
from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path

from anyio import CapacityLimiter, to_thread

from tests.toolchain import Toolchain

RUN_S = 120.0
SHOWN = 200
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
        self._runs = count(1)
        self.complaints: list[str] = []
        """What it says of checks that did not succeed."""

    async def run(self, url: str, revision: str) -> Results:
        """Return what the whole requirement set of a revision finds at an address."""
        return await self._run(url, "--requirements", revision)

    async def run_again(self, url: str, revision: str, scenario: str) -> Results:
        """Return what one scenario finds."""
        return await self._run(url, "--scenario", scenario, "--spec-version", revision)

    async def _run(self, url: str, *chosen: str) -> Results:
        into = self._folder / str(next(self._runs))
        command = [*self._command, "--url", url, *chosen, "-o", str(into)]
        run = partial(subprocess.run, command, capture_output=True, timeout=RUN_S, check=False)
        done = await to_thread.run_sync(run, limiter=self._limiter)
        found = self._read(into, url)
        assert found, done.stdout + done.stderr
        return found

    def _read(self, folder: Path, url: str) -> Results:
        found: dict[Check, tuple[str, ...]] = {}
        for results in sorted(folder.glob("*/checks.json")):
            scenario = _STARTED.sub("", results.parent.name).removeprefix("server-")
            for check in json.loads(results.read_text("utf-8")):
                key = (scenario, check["id"])
                found[key] = (*found.get(key, ()), check["status"])
                if "errorMessage" in check:
                    self.complaints.append(f"{url}: {scenario}: {check['errorMessage'][:SHOWN]}")
        return found
