"""Which CLI waits for which run, and what a killed gateway leaves of it."""

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import psutil
import pytest
from anyio.abc import TaskGroup

from gateway.domain.job import Job
from gateway.domain.network import PUBLIC
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.forwarder import Accounts
from gateway.jobs.agent import Agent
from gateway.jobs.clock import SystemClock
from gateway.jobs.errors import RunRefused
from gateway.jobs.folders import folders_for, make_folders
from gateway.jobs.late_agent import LateAgent
from gateway.jobs.leftovers import clear_standbys, note_group
from gateway.jobs.places import Places
from gateway.jobs.process import ProcessGroup
from gateway.jobs.scheduler import AHEAD_MS, Scheduler
from gateway.jobs.setup import Setup
from gateway.jobs.standbys import MAX_EXPECTED, Standbys
from gateway.jobs.surroundings import Surroundings, is_versioned
from gateway.store import StoreUnavailable
from gateway.vault import KeySources, Vault
from sandboxes.network.outside import Internet
from tests.jobs.conftest import KEPT_S
from tests.jobs.parts import CLI_GUARD_S, Parts, a_run
from tests.jobs.waiting_clis import quick, until_it_waits, waiting
from tests.jobs.world import NOON, VirtualClock
from tests.waiting import until, until_seen
from tests.webhooks.parts import Door, key_file

pytestmark = pytest.mark.timeout(2 * CLI_GUARD_S)


async def test_a_tick_gets_the_cli_that_was_started_ahead_of_it(small: Parts):
    """Issue 7: run_start; a schedule's next time is known, and nothing is started twice."""
    clock = VirtualClock(NOON - AHEAD_MS)
    job = await a_job(small, due_at=NOON)
    async with small.runner(clock=clock) as runner, anyio.create_task_group() as tasks:
        await until(lambda: runner.ahead.keeps_waiting)
        scheduler = Scheduler(small.store, runner, clock)
        tasks.start_soon(scheduler.run)
        run_id, _ = await until_it_waits(small)
        assert await small.store.runs.unfinished(job.id) == ()
        clock.now = NOON
        scheduler.wake()
        await until_seen(lambda: small.store.runs.get(run_id))
        run = await runner.wait(run_id)
        assert (run.status, run.trigger) == (RunStatus.SUCCEEDED, Trigger.CRON)
        assert run.scheduled_for == NOON
        tasks.cancel_scope.cancel()
    assert len(small.gate.tokens) == 1


async def test_a_delivery_gets_the_cli_that_waits_for_its_webhook(small: Parts):
    """Issue 7: run_start; its id is that of the CLI where it is written down, if it is new."""
    vault = await Vault.open(KeySources(key_file(small.home)), small.store.data_keys)
    async with small.runner() as runner, anyio.create_task_group() as tasks:
        door = Door(small.store, vault, runner)
        tasks.start_soon(door.ledger.run)
        tools = ("Read", "mcp__adder__add")
        await door.have(tools=tools, network=PUBLIC, budget_micro_usd=None)
        first = await runner.wait((await door.post()).run_id)
        run_id, _ = await until_it_waits(small)
        assert (await door.post()).run_id == first.id
        second = await runner.wait((await door.post(b'{"n": 2}')).run_id)
        assert (second.id, second.status) == (run_id, RunStatus.SUCCEEDED)
        tasks.cancel_scope.cancel()


async def test_a_job_that_is_changed_ends_the_cli_that_waits_for_its_tick(small: Parts):
    """Ours: pausing, editing and deleting are one to it."""
    clock = VirtualClock(NOON)
    async with small.runner(clock=clock) as runner:
        await until(lambda: runner.ahead.keeps_waiting)
        tick = quick(trigger=Trigger.CRON, job_id="job_1")
        runner.ahead.expect(tick, NOON + AHEAD_MS)
        _, group = await until_it_waits(small)
        runner.ahead.forget("job_1")
        await until(lambda: not psutil.pid_exists(group) and not waiting(small))
        assert runner.ahead.named(tick) is tick


async def a_job(parts: Parts, due_at: int) -> Job:
    """Store an hourly job and return it."""
    job = Job(
        id="job_1",
        name="hourly",
        cron="0 * * * *",
        timezone="UTC",
        prompt="Do it.",
        tools=("Read", "mcp__adder__add"),
        servers=(),
        enabled=True,
        created_at=1,
        updated_at=1,
        next_fire_at=due_at,
    )
    await parts.store.jobs.add(job)
    return job


async def test_no_cli_waits_for_what_nobody_waits_for(parts: Parts):
    """Ours: a schedule's next tick is known, and far away."""
    async with anyio.create_task_group() as tasks:
        standbys = no_more_than_begun(parts, tasks)
        for trigger in (Trigger.CRON, Trigger.CHAIN):
            standbys.follow(of_job("job_1", trigger=trigger))
            assert standbys.work_folders() == set()
        standbys.follow(of_job("job_1"))
        assert standbys.work_folders() == {"job_1"}


async def test_no_cli_waits_in_a_repository(parts: Parts):
    """Ours: the CLI tells the model the state of a repository as it was at its start."""
    async with anyio.create_task_group() as tasks:
        standbys = no_more_than_begun(parts, tasks)
        (parts.home / ".git").mkdir()
        standbys.follow(quick())
        assert standbys.work_folders() == set()
        (parts.home / ".git").rmdir()
        standbys.follow(quick())
        assert len(standbys.work_folders()) == 1


async def test_few_clis_wait_for_ticks_and_one_for_each(parts: Parts):
    """Ours: one that waits until then is enough, whatever for; a tick that was stored has its."""
    async with anyio.create_task_group() as tasks:
        standbys = no_more_than_begun(parts, tasks)
        due_at = SystemClock().now_ms() + AHEAD_MS
        standbys.follow(of_job("job_0"))
        for number in (0, 1, 1, *range(2, MAX_EXPECTED + 2)):
            standbys.expect(of_job(f"job_{number}", trigger=Trigger.CRON), due_at)
        assert standbys.work_folders() == {f"job_{n}" for n in range(MAX_EXPECTED + 1)}
        tick, other = (of_job("job_1", trigger=Trigger.CRON) for _ in range(2))
        named = standbys.named(tick)
        assert named.id != tick.id
        assert standbys.named(other) == other
        standbys.unnamed(named.id)
        assert standbys.named(other).id == named.id


async def test_what_waits_for_a_run_that_may_be_stored_or_not_gets_no_other(parts: Parts):
    """Ours: an error of the store does not tell which, and a named CLI would wait in vain."""
    async with anyio.create_task_group() as tasks:
        standbys = no_more_than_begun(parts, tasks)
        ahead = LateAgent(lambda: cast(Agent, SimpleNamespace(standbys=standbys)))
        await ahead.load()
        standbys.follow(of_job("job_1"))
        named, other = ahead.named(of_job("job_1")), of_job("job_1")
        with ahead.storing([named]):
            pass
        ahead.unnamed(named.id)
        assert ahead.named(other).id == named.id
        with pytest.raises(StoreUnavailable), ahead.storing([named]):
            raise StoreUnavailable("runs.db", "it is locked")
        ahead.unnamed(named.id)
        assert ahead.named(other) is other


async def test_a_cli_that_waits_is_in_nobodys_way(parts: Parts):
    """Ours: it stays while other runs go on, but for those of its folder and of little memory."""
    room = True
    async with anyio.create_task_group() as tasks:
        standbys = no_more_than_begun(parts, tasks, has_room=lambda: room)
        follow, again = partial(standbys.follow, of_job("job_1")), of_job("job_1")
        for begins, stays in ((quick(), True), (of_job("job_1", trigger=Trigger.CRON), False)):
            follow()
            standbys.make_way(begins)
            assert (standbys.named(again) is not again) is stays, begins
        follow()
        room = False
        standbys.make_way(quick())
        assert standbys.named(again) is again
        follow()
        assert standbys.named(again) is again


def of_job(job_id: str, **changes: Any) -> Run:
    """Return a run of a job."""
    return a_run(job_id=job_id, **changes)


def no_more_than_begun(
    parts: Parts, tasks: TaskGroup, has_room: Callable[[], bool] = lambda: True
) -> Standbys:
    """Return what begins to have a CLI wait; none is started, for its setup is refused."""

    async def refuse(run: Run) -> Setup:
        raise RunRefused("It is enough that it began.")

    accounts = Accounts(parts.config.prices)
    places = Places(
        parts.home,
        parts.config,
        parts.gate,
        parts.run_tokens,
        accounts,
        parts.gate.serve,
        Internet(),
    )
    limits = parts.config.limits
    around = Surroundings(has_room=has_room)
    return Standbys(tasks, places, refuse, SystemClock(), limits, KEPT_S, lambda: None, around)


def test_a_folder_that_cannot_be_looked_at_may_be_a_repository(tmp_path: Path):
    """Ours: a run may close its folder; whoever asks goes on."""
    assert not is_versioned(tmp_path / "missing")
    assert is_versioned(tmp_path / ("n" * 300))
    (tmp_path / ".git").symlink_to("/nowhere/at/all")
    assert is_versioned(tmp_path / "missing")


async def test_what_a_killed_gateway_left_waiting_is_removed(tmp_path: Path):
    """Ours: and nothing else: HOME of a run that goes on with its conversation stays."""
    left, kept = (folders_for(tmp_path, name, None) for name in ("run_left", "run_kept"))
    job = folders_for(tmp_path, "run_of_job", "job_kept")
    for folders in (left, kept, job):
        make_folders(folders)
    for folders in (left, job):
        folders.standby_file.touch()
    await clear_standbys(tmp_path)
    assert [left.private.exists(), left.work.exists()] == [False, False]
    assert [kept.private.exists(), kept.work.exists()] == [True, True]
    assert [job.private.exists(), job.work.exists()] == [False, True]


async def test_processes_of_a_killed_gateway_that_waited_are_ended(tmp_path: Path):
    """Ours: but not those of a stranger who has got the number of one meanwhile."""
    async with await anyio.open_process(["sleep", "600"], start_new_session=True) as process:
        began_at = psutil.Process(process.pid).create_time()
        for started_at in (began_at - 60, began_at):
            assert process.returncode is None
            folders = folders_for(tmp_path, "run_left", None)
            make_folders(folders)
            note_group(folders, ProcessGroup(process.pid, started_at))
            await clear_standbys(tmp_path)
            assert not folders.private.exists()
        assert await process.wait() == -signal.SIGTERM
