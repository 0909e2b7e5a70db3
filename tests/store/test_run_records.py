"""What the tables of run records promise, on both databases."""

from dataclasses import replace

from gateway.domain.run_record import CallOutcome, RunRecord, ServerUsed, ToolCall
from gateway.store import Store
from tests.store import examples

SERVER = ServerUsed("mail", 3, None, "c0de", 2, (("read", "d1"), ("send", "d2")))


async def test_a_record_comes_back_as_it_was_stored_and_goes_with_its_run(store: Store) -> None:
    """Issue 7, 3: what an attempt had, and each call; nothing outlives the run."""
    job = examples.job()
    await store.jobs.add(job)
    run = examples.run(job_id=job.id)
    await store.runs.add(run)
    record = RunRecord(run.id, 1, "claude-x", "2.1.330", "0.2.187", "0.1.0", ("Read",), (SERVER,))
    later = replace(record, attempt=2, servers=())
    call = ToolCall(run.id, 1, 0, "mail", "send", 1000, 20, CallOutcome.OK, 10, 30)
    second = replace(call, seq=1, server="", tool="Bash", outcome=CallOutcome.UNANSWERED)
    for each in (record, later, replace(record, model="another")):
        await store.run_records.begin(each)
    await store.run_records.add_calls([second, call])
    await store.run_records.add_calls([replace(call, tool="another")])
    ended = replace(record, servers=(replace(SERVER, last_generation=4),), calls=2)
    await store.run_records.end(ended)
    assert await store.run_records.of_run(run.id) == (ended, later)
    assert await store.run_records.calls(run.id, limit=9) == (call, second)
    assert await store.run_records.calls(run.id, limit=1) == (call,)
    await store.jobs.delete(job.id)
    assert await store.run_records.of_run(run.id) == ()
    assert await store.run_records.calls(run.id, limit=9) == ()
