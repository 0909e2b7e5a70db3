"""What the tests of CLIs that wait share."""

from typing import Any

import anyio

from gateway.domain.run import Run, Trigger
from gateway.jobs.clock import SystemClock
from gateway.jobs.folders import folders_for
from gateway.jobs.process import read_group
from gateway.jobs.runner import Runner
from tests.jobs.parts import Parts, a_run
from tests.waiting import until


class WatchedClock(SystemClock):
    """Counts the waits of the runner, each of which ends a look at its queue; can be set ahead."""

    def __init__(self) -> None:
        self.waits = 0
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms

    async def sleep_until(self, instant: int | None) -> None:
        self.waits += 1
        await super().sleep_until(instant)

    async def until_looked(self, runner: Runner) -> None:
        """Return when the runner has looked at its queue, from the beginning to the end."""
        for _ in ("the look that may be going on", "one more"):
            before = self.waits
            runner.wake()
            await until(lambda before=before: self.waits > before)


def quick(**changes: Any) -> Run:
    """Return a quick run."""
    tools = ("Read", "mcp__adder__add")
    defaults = {"trigger": Trigger.QUICK, "tools": tools, "prompt": "Who are you?"}
    return a_run(**{**defaults, **changes})


async def ended(runner: Runner, run: Run) -> Run:
    """Return a run, ended, after it was submitted."""
    run = await runner.submit(run)
    return await runner.wait(run.id)


def waiting(parts: Parts) -> list[str]:
    """Return the ids of runs that a CLI waits for."""
    return [found.parent.name for found in (parts.home / "runs").glob("*/standby")]


async def until_it_waits(parts: Parts) -> tuple[str, int]:
    """Return the id of the run for which a CLI waits, and the number of its group."""
    while True:
        for run_id in waiting(parts):
            folders = folders_for(parts.home, run_id, None)
            group = read_group(folders.group_file)
            # Removed when the CLI has answered that it has its servers.
            if group is not None and not folders.servers_file.exists():
                return run_id, group.number
        await anyio.sleep(0.01)
