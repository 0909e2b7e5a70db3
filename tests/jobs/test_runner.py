"""The queue: order, room, and runs of an earlier gateway. No CLI is started here."""

import itertools
from pathlib import Path
from typing import Any

import anyio

from gateway.auth.run_tokens import RunTokens
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.jobs.options import AgentConfig
from gateway.jobs.runner import Runner
from gateway.store import Store
from tests.jobs.parts import Gate, a_run


class CountingClock:
    """Every look at it is later than the one before."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1_000)

    def now_ms(self) -> int:
        return next(self._ticks)

    async def sleep_until(self, instant: int | None) -> None:
        await anyio.sleep_forever()


def a_runner(store: Store, home: Path, **changes: Any) -> Runner:
    """Return a runner that refuses every run at once, for want of a key."""
    settings: dict[str, Any] = {"concurrency": 1, **changes}
    return Runner(
        store=store,
        home=home,
        clock=CountingClock(),
        agent=AgentConfig(None, "claude-test-model"),
        gate=Gate(),
        run_tokens=RunTokens(),
        **settings,
    )


async def test_urgent_runs_come_first_and_equals_in_their_order(tmp_path: Path):
    """Ours: quick, then webhook, then manual, then the rest; no one overtakes an equal."""
    triggers = [
        Trigger.CRON, Trigger.MANUAL, Trigger.WEBHOOK, Trigger.QUICK, Trigger.CRON, Trigger.QUICK,
    ]  # fmt: skip
    runs = [a_run(trigger=trigger, created_at=at) for at, trigger in enumerate(triggers)]
    async with Store.open(None, path=tmp_path / "jobs.db") as store:
        for run in runs:
            await store.runs.add(run)
        with anyio.fail_after(5):
            async with a_runner(store, tmp_path) as runner:
                ended = [await runner.wait(run.id) for run in runs]
    order = [runs.index(run) for run in sorted(runs, key=lambda run: _started(ended, run.id))]
    assert order == [3, 5, 2, 1, 0, 4]


async def test_run_that_an_earlier_gateway_had_claimed_is_marked_and_not_repeated(tmp_path: Path):
    """DESIGN 12: at most once; the row says what happened."""
    run = a_run()
    async with Store.open(None, path=tmp_path / "jobs.db") as store:
        await store.runs.add(run)
        claimed = await store.runs.claim(run.id, 1)
        assert claimed is not None
        await store.runs.set_process(run.id, claimed.attempt, 2**22 - 1, 1.0)
        with anyio.fail_after(5):
            async with a_runner(store, tmp_path) as runner:
                found = await runner.wait(run.id)
    assert (found.status, found.attempt) == (RunStatus.INTERRUPTED, 1)


async def test_leaving_the_runner_leaves_the_queue(tmp_path: Path):
    """Ours: what was not claimed waits for the next start."""
    run = a_run()
    async with Store.open(None, path=tmp_path / "jobs.db") as store:
        with anyio.fail_after(5):
            async with a_runner(store, tmp_path, concurrency=0) as runner:
                await runner.submit(run)
            assert await store.runs.get(run.id) == run
            async with a_runner(store, tmp_path) as runner:
                assert (await runner.wait(run.id)).status is RunStatus.FAILED


async def test_nothing_is_claimed_before_the_servers_are_loaded(tmp_path: Path):
    """Ours: a run of the queue must not start without its servers."""
    run = a_run()
    loaded = anyio.Event()
    async with Store.open(None, path=tmp_path / "jobs.db") as store:
        with anyio.fail_after(5):
            async with a_runner(store, tmp_path, begin=loaded.wait) as runner:
                await runner.submit(run)
                await anyio.wait_all_tasks_blocked()
                assert await store.runs.get(run.id) == run
                loaded.set()
                assert (await runner.wait(run.id)).status is RunStatus.FAILED


def _started(runs: list[Run], run_id: str) -> int:
    return next(run.started_at or 0 for run in runs if run.id == run_id)
