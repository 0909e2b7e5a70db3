"""Fifty runs of the real CLI, submitted at once."""

from contextlib import suppress

import anyio
import psutil
import pytest

from gateway.domain.run import Run, RunStatus, Trigger
from gateway.jobs.limits import RunLimits
from gateway.standin import Say
from tests.demonstrations import Demonstrations
from tests.jobs.parts import CLI_GUARD_S, Parts, a_run, processes_of

RUNS = 50
AT_A_TIME = 3
LOOK_EVERY_S = 0.5
MIB = 1024 * 1024
URGENCY = (Trigger.QUICK, Trigger.WEBHOOK, Trigger.MANUAL, Trigger.CRON)
"""The order in which they come to their turn."""


class Peak:
    """The most processes of the CLI, and the most memory of all processes of runs."""

    def __init__(self, parts: Parts) -> None:
        self._home = parts.home
        self.clis = 0
        self.memory_mib = 0

    async def watch(self) -> None:
        """Look again and again until it is cancelled."""
        while True:
            found = await anyio.to_thread.run_sync(processes_of, self._home)
            self.clis = max(self.clis, sum(process.name == "claude" for process in found))
            self.memory_mib = max(self.memory_mib, sum(_memory(each.pid) for each in found) // MIB)
            await anyio.sleep(LOOK_EVERY_S)


@pytest.mark.full
@pytest.mark.timeout(RUNS * CLI_GUARD_S)
async def test_fifty_runs_at_once_are_three_at_a_time(parts: Parts, demonstrations: Demonstrations):
    """Issue 7: queue order, limits and memory as configured."""
    parts.api.script = lambda _: Say("done")
    runs = [
        a_run(created_at=number, trigger=URGENCY[number % len(URGENCY)]) for number in range(RUNS)
    ]
    for run in runs:
        await parts.store.runs.add(run)
    peak, ended = Peak(parts), list[Run]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(peak.watch)
        async with parts.runner(limits=RunLimits(AT_A_TIME)) as runner:
            in_line = sorted(runs, key=lambda run: (URGENCY.index(run.trigger), run.created_at))
            ended = [await runner.wait(run.id) for run in in_line]
        tasks.cancel_scope.cancel()
    assert {run.status for run in ended} == {RunStatus.SUCCEEDED}
    started = [run.started_at for run in ended]
    assert started == sorted(at for at in started if at is not None)
    assert 0 < peak.clis <= AT_A_TIME
    allowed = parts.config.limits.memory_bytes
    assert allowed is not None
    assert 0 < peak.memory_mib <= AT_A_TIME * allowed // MIB
    demonstrations.record(
        f"runs of the real CLI submitted at once, {AT_A_TIME} at a time",
        RUNS,
        f"by urgency and age; never more than {peak.clis} CLIs and {peak.memory_mib} MiB",
    )


def _memory(pid: int) -> int:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).memory_info().rss
    return 0
