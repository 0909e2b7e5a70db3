"""Joining, beating, draining, and what becomes of the runs of a node that is gone."""

import logging
import time
from pathlib import Path

import anyio
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.job import OnInterrupt
from gateway.domain.node import NodeState
from gateway.domain.run import Run, RunMessage, RunResult, RunStatus
from gateway.jobs.cli_wrapper import is_over
from gateway.jobs.ending import STRANDED
from gateway.jobs.errors import RunFinished
from gateway.jobs.process import KILL_S, TERMINATE_S
from gateway.nodes import Membership, NodeDesk, NoSuchNode, times
from gateway.nodes.clock import SharedClock
from gateway.nodes.identity import read_identity
from gateway.nodes.membership import NameTaken
from gateway.store import Store, StoreUnavailable
from gateway.store.claiming import CLAIM_LOCK
from tests.nodes.conftest import Peer, Peers, silence
from tests.store import examples


async def take(peer: Peer, **changes: object) -> Run:
    """Return a new run that a node has claimed."""
    run = examples.run(**changes)
    await peer.store.runs.add(run)
    claimed = await peer.store.runs.claim(run.id, 100, node=peer.membership.name)
    assert claimed is not None
    return claimed


async def found(store: Store, run: Run) -> Run:
    """Return a run as it is stored now."""
    stored = await store.runs.get(run.id)
    assert stored is not None
    return stored


def test_nobody_takes_over_before_the_processes_have_ended() -> None:
    """Issue 10, 2: the stale limit is more than the lease and what killing takes."""
    for lease in (times.LEASE_S, times.ALONE_LEASE_S):
        assert times.untouched_ms(lease) > (lease + TERMINATE_S + KILL_S) * 1000
        assert times.lease_s(times.untouched_ms(lease)) == lease
    assert times.untouched_ms(times.LEASE_S) + times.BEAT_S * 1000 < 15_000


def test_a_home_keeps_its_identity(tmp_path: Path) -> None:
    """Ours: by it a gateway is known again after kill -9."""
    made = read_identity(tmp_path)
    assert (read_identity(tmp_path), made.startswith("node_")) == (made, True)
    assert (tmp_path / "node-id").stat().st_mode & 0o777 == 0o600


async def test_two_live_nodes_of_one_name_are_one_too_many(peers: Peers) -> None:
    """Issue 10, 1: the second is refused with a sentence, until the first is long gone."""
    first = await peers.start("one")
    second = Membership(
        await peers.store(), peers.newcomer("one", "another-home"), peers.lease_file("other")
    )
    with pytest.raises(NameTaken) as refused:
        await second.join()
    assert str(refused.value) == (
        "A node named 'one' lives already on this database; set NODE_NAME to another name."
    )
    orphan = await take(first)
    await silence(first.store, "one")
    await second.join()
    # What its predecessor had is not its own: those files are elsewhere.
    assert await first.store.node_runs.claimed_by("one") == ()
    assert [lost.run.id for lost in await first.store.node_runs.lost()] == [orphan.id]


async def test_a_gateway_that_comes_back_is_the_same_node(peers: Peers) -> None:
    """Ours: at once, and also under another name, because it has its home."""
    first = await peers.start("one")
    run = await take(first)
    again = Membership(
        await peers.store(), peers.newcomer("renamed", "home-of-one"), peers.lease_file("other")
    )
    await again.join()
    assert [node.name for node in await first.store.nodes.all()] == ["renamed"]
    assert [each.id for each in await first.store.node_runs.claimed_by("renamed")] == [run.id]
    assert await first.store.node_runs.lost() == ()


async def test_a_start_leaves_what_other_nodes_have(peers: Peers) -> None:
    """Issue 10: a second gateway ends only what it left behind itself."""
    first = await peers.start("one")
    run = await take(first)
    second = await peers.start("two")
    await second.beat()
    assert await found(second.store, run) == run
    await first.membership.leave()
    await second.beat()
    assert (await found(second.store, run)).status is RunStatus.INTERRUPTED


async def test_runs_of_a_lost_node_are_treated_by_their_policy_once(peers: Peers) -> None:
    """Issue 10, 2: mark, retry, resume; a conversation on a lost machine cannot go on."""
    first, second, third = [await peers.start(name) for name in ("one", "two", "three")]
    busy = await peers.start("busy")
    marked = await take(first)
    retried = await take(first, on_interrupt=OnInterrupt.RETRY)
    young = await take(first, on_interrupt=OnInterrupt.RESUME)
    resumed = await take(first, on_interrupt=OnInterrupt.RESUME)
    assert await first.store.runs.mark_running(resumed.id, resumed.attempt, "session")
    unwanted = await take(first, on_interrupt=OnInterrupt.RETRY)
    assert await second.store.node_runs.ask_stop(unwanted.id, "two", "Not any more.")
    alive = await take(busy)
    await silence(first.store, "one")
    for survivor in (second, third):
        await survivor.beat()
    seen = {run.id: await found(second.store, run) for run in (marked, resumed, unwanted)}
    lost = "Node one was lost before the run ended."
    assert [(run.status, run.error) for run in seen.values()] == [
        (RunStatus.INTERRUPTED, lost),
        (RunStatus.INTERRUPTED, lost),
        (RunStatus.CANCELLED, "Not any more."),
    ]
    for run in (retried, young):
        again = await found(second.store, run)
        assert (again.status, again.attempt, again.session_id) == (RunStatus.QUEUED, 1, None)
        assert await second.store.runs.claim(run.id, 10**15, node="two")
    # What the lost one writes when it wakes changes nothing.
    late = RunResult(RunStatus.SUCCEEDED, output="late")
    for run in (marked, retried):
        before = await found(second.store, run)
        assert not await first.store.runs.finish(run.id, run.attempt, late, 5)
        message = RunMessage(run.id, 0, "assistant", "{}", 5)
        await first.store.runs.append_messages([message], run.attempt)
        assert await found(second.store, run) == before
        assert await second.store.runs.messages(run.id) == ()
    assert await found(second.store, alive) == alive


async def test_a_conversation_goes_on_where_it_began_or_not_at_all(peers: Peers) -> None:
    """Ours: it lies in files of its node; once that is lost the run says so."""
    first, second = [await peers.start(name) for name in ("one", "two")]
    run = await take(first)
    waiting = RunResult(RunStatus.QUEUED, session_id="session")
    assert await first.store.runs.requeue(run.id, run.attempt, waiting, not_before=0)
    assert await second.store.runs.claim_next(10**15, node="two") is None
    again = await first.store.runs.claim_next(10**15, node="one")
    assert again is not None
    assert await first.store.runs.requeue(run.id, again.attempt, waiting, not_before=0)
    await silence(first.store, "one")
    await second.beat()
    ended = await found(second.store, run)
    assert (ended.status, ended.error) == (RunStatus.INTERRUPTED, STRANDED)


async def test_a_conversation_outlives_an_orderly_restart_of_its_node(peers: Peers) -> None:
    """Issue 10, 2: the others leave it alone; another home of that name does not have it."""
    first, second = [await peers.start(name) for name in ("one", "two")]
    job = examples.job()
    await first.store.jobs.add(job)
    run = await take(first, job_id=job.id)
    waiting = RunResult(RunStatus.QUEUED, session_id="session")
    assert await first.store.runs.requeue(run.id, run.attempt, waiting, not_before=0)
    await first.membership.leave()
    await second.beat()
    assert (await found(second.store, run)).status is RunStatus.QUEUED
    await first.membership.join()
    again = await first.store.runs.claim_next(10**15, node="one")
    assert again is not None
    assert await first.store.runs.requeue(run.id, again.attempt, waiting, not_before=0)
    await first.membership.leave()
    other = peers.newcomer("one", "another-home")
    await Membership(await peers.store(), other, peers.lease_file("other")).join()
    assert await first.store.runs.claim_next(10**15, node="one") is None
    await second.beat()
    assert (await found(second.store, run)).error == STRANDED
    stored = await second.store.jobs.get(job.id)
    assert stored is not None
    assert stored.failures == 1


async def test_a_node_that_the_others_gave_up_claims_nothing(peers: Peers) -> None:
    """Issue 10, Shows: a frozen node that wakes begins nothing before it is back."""
    first = await peers.start("one")
    run = examples.run()
    await first.store.runs.add(run)
    await silence(first.store, "one")
    assert await first.store.runs.claim_next(100, node="one") is None
    await first.beat()
    assert await first.store.runs.claim_next(100, node="one") is not None


async def test_a_node_that_stands_still_in_a_claim_does_not_stop_the_others(
    peers: Peers,
) -> None:
    """Issue 10, 2: the database ends its transaction, and with it the lock of the queue."""
    frozen, other = await peers.store(), await peers.store()
    run = examples.run()
    await frozen.runs.add(run)
    holds, may_go_on = anyio.Event(), anyio.Event()

    async def stand_still(connection: AsyncConnection) -> None:
        await connection.execute(select(func.pg_advisory_xact_lock(CLAIM_LOCK)))
        holds.set()
        await may_go_on.wait()
        await connection.execute(select(1))

    async def wake() -> None:
        with pytest.raises(StoreUnavailable):
            await frozen.nodes._db.transact(stand_still)  # pyright: ignore[reportPrivateUsage] - a claim has no such pause

    async with anyio.create_task_group() as group:
        group.start_soon(wake)
        await holds.wait()
        assert await other.runs.claim(run.id, 100) is not None
        may_go_on.set()
    assert (await found(frozen, run)).status is RunStatus.STARTING


async def test_a_job_has_as_many_runs_on_all_nodes_as_it_may(peers: Peers) -> None:
    """Issue 10, 2: `concurrency` holds for all nodes together."""
    first, second = [await peers.start(name) for name in ("one", "two")]
    job = examples.job(concurrency=1)
    await first.store.jobs.add(job)
    for _ in range(2):
        await first.store.runs.add(examples.run(job_id=job.id, concurrency=1))
    claimed = await first.store.runs.claim_next(100, node="one")
    assert claimed is not None
    assert await second.store.runs.claim_next(100, node="two") is None
    result = RunResult(RunStatus.SUCCEEDED)
    assert await first.store.runs.finish(claimed.id, claimed.attempt, result, 200)
    assert await second.store.runs.claim_next(100, node="two") is not None


async def test_a_run_on_another_node_is_ended_through_any(peers: Peers) -> None:
    """Ours: `kill_run` asks the node that has it; that one's next beat sees to it."""
    first, second = [await peers.start(name) for name in ("one", "two")]
    run = await take(first)
    await second.runner.stop(run.id, "Killed on request.")
    assert await first.store.node_runs.asked_to_stop("one") == {run.id: "Killed on request."}
    # No task has it here, as after an end that could not be stored for long.
    await first.beat()
    assert (await found(second.store, run)).status is RunStatus.INTERRUPTED
    with pytest.raises(RunFinished):
        await second.runner.stop(run.id, "Killed on request.")


async def test_a_run_that_is_to_end_does_not_begin_again(peers: Peers) -> None:
    """Ours: its node ended the attempt before it saw the wish."""
    first, second = [await peers.start(name) for name in ("one", "two")]
    run = await take(first, on_interrupt=OnInterrupt.RETRY)
    await second.runner.stop(run.id, "Killed on request.")
    await first.runner.shared.check_own()
    ended = await found(second.store, run)
    assert (ended.status, ended.error) == (RunStatus.CANCELLED, "Killed on request.")


async def test_a_drained_node_takes_no_runs(peers: Peers) -> None:
    """Issue 10, 1: whoever drains it, by its next beat at the latest, and until it is undrained."""
    first, second = [await peers.start(name) for name in ("one", "two")]
    desk = NodeDesk(second.store, second.membership)
    await desk.drain("one")
    await first.beat()
    assert (first.runner.resting, second.runner.resting) == (True, False)
    assert [(view.name, view.state, view.this) for view in await desk.views()] == [
        ("one", NodeState.DRAINING, False),
        ("two", NodeState.ACTIVE, True),
    ]
    await desk.drain("two")
    assert second.runner.resting
    await desk.undrain("one")
    await first.beat()
    assert not first.runner.resting
    with pytest.raises(NoSuchNode):
        await desk.drain("three")
    await silence(first.store, "one")
    assert [view.state for view in await desk.views()] == ["lost", "draining"]


async def test_the_lease_is_long_only_while_there_is_nobody_to_wait(peers: Peers) -> None:
    """Ours: one node on PostgreSQL outlives a restart of it as before."""
    first = await peers.start("one")
    leases: list[int] = []
    for _ in range(2):
        await first.beat()
        (node,) = [each for each in await first.store.nodes.all() if each.name == "one"]
        leases.append(node.lease_ms)
        await peers.start("two")
    assert leases == [times.untouched_ms(s) for s in (times.ALONE_LEASE_S, times.LEASE_S)]


async def test_the_wrappers_of_runs_learn_until_when_they_may_go_on(peers: Peers) -> None:
    """Issue 10, 2: they end the CLI where a frozen gateway cannot."""
    began_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    first = await peers.start("one")
    lease = peers.lease_file("one")
    assert float(lease.read_text("ascii")) >= began_s + times.ALONE_LEASE_S
    assert not is_over(str(lease))
    lease.write_text(f"{began_s - 1:.3f}", "ascii")
    assert is_over(str(lease))
    await first.beat()
    assert not is_over(str(lease))
    lease.write_text("", "ascii")
    assert not is_over(str(lease))
    assert not is_over(str(peers.lease_file("nobody")))


def test_the_database_tells_the_time() -> None:
    """Issue 10, 3: its clock counts, in the middle between question and answer."""
    machine = [5_000]
    clock = SharedClock(lambda: machine[0], lambda: 3.5)
    assert (clock.off_ms, clock.now_ms()) == (0, 5_000)
    clock.put_right(10_000, 2.5, 3.0)
    assert (clock.off_ms, clock.now_ms()) == (5_750, 10_750)
    # Somebody sets this machine's clock; an answer that came late says nothing.
    machine[0] = 11_000
    clock.put_right(20_000, 1.0, 3.0)
    assert (clock.off_ms, clock.now_ms()) == (-250, 10_750)


async def test_a_clock_that_is_off_is_worth_a_warning(
    peers: Peers, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 10, 3: measured against the database at the start."""
    with caplog.at_level(logging.WARNING):
        off = Membership(
            await peers.store(), peers.newcomer("one"), peers.lease_file("one"), now_ms=lambda: 0
        )
        await off.join()
    assert "s behind the database's, which jobs go by; set it right" in caplog.text
