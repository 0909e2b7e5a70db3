"""What the account books of days promise, on both databases."""

from dataclasses import replace

from gateway.domain.budget import (
    Charge,
    CostGroup,
    CostLine,
    Day,
    DayBudget,
    DayLimits,
    Limit,
    ModelCost,
    ServerCost,
    Tokens,
)
from gateway.domain.notice import Occasion, new_notice
from gateway.domain.run import Run, RunStatus
from gateway.domain.run_record import CallOutcome, ToolCall
from gateway.store import Store
from tests.store import examples

DAY = Day("2026-11-22", 2_000_000)
ONE = Tokens(1, 10, 20, 30, 40, cost_micro_usd=100)
TODAY = DayLimits(DAY.name, None)


async def live(store: Store, **changes: object) -> Run:
    """Return a run that was added and claimed."""
    run = examples.run(**changes)
    await store.runs.add(run)
    claimed = await store.runs.claim(run.id, 100)
    assert claimed is not None
    return claimed


def charge_of(run: Run, tokens: Tokens = ONE, model: str = "claude-a") -> Charge:
    """Return an answer to a run on DAY."""
    return Charge(run.id, run.attempt, DAY.name, run.job_id or "", model, tokens)


async def test_an_answer_counts_for_its_run_and_its_day(store: Store) -> None:
    """Issue 7, point 4: by model; a live run's row has the sum, so a crash loses none of it."""
    job = examples.job()
    await store.jobs.add(job)
    run, other = await live(store, job_id=job.id), await live(store)
    unknown = replace(ONE, cost_micro_usd=0, unpriced=1)
    for charge in (
        charge_of(run), charge_of(run), charge_of(run, unknown, "glm"), charge_of(other),
    ):  # fmt: skip
        await store.costs.charge(charge)
    assert await store.costs.of_run(run.id) == (
        ModelCost("claude-a", Tokens(2, 20, 40, 60, 80, 200)),
        ModelCost("glm", unknown),
    )
    assert await store.costs.spent(DAY.name, job.id) == 200
    assert await store.costs.spent(DAY.name) == 300
    assert await store.costs.spent("2026-11-23") == 0
    stored = await store.runs.get(run.id)
    assert stored is not None
    assert (stored.cost_micro_usd, stored.input_tokens, stored.output_tokens) == (200, 240, 60)


async def test_what_was_spent_stays_spent(store: Store) -> None:
    """Ours: deleting a job gives no money back, and a late answer to its run counts too."""
    job = examples.job()
    await store.jobs.add(job)
    run = await live(store, job_id=job.id)
    await store.costs.charge(charge_of(run))
    await store.jobs.delete(job.id)
    await store.costs.charge(charge_of(run))
    assert await store.costs.spent(DAY.name) == 200
    assert await store.costs.of_run(run.id) == ()
    await store.costs.forget("2026-11-23")
    assert await store.costs.spent(DAY.name) == 0


async def test_a_run_starts_only_if_live_ones_leave_something(store: Store) -> None:
    """Issue 7, point 4: what live runs may yet spend is reserved, for the job and for all."""
    job = examples.job(day_budget_micro_usd=1000)
    await store.jobs.add(job)
    first = await live(store, job_id=job.id, budget_micro_usd=600)
    second, third = (examples.run(job_id=job.id, budget_micro_usd=600) for _ in range(2))
    await store.runs.add(second)
    taken = await store.runs.claim_next(100, within=TODAY)
    assert taken is not None
    assert taken.id == second.id
    await store.runs.add(third)
    assert await store.runs.claim_next(100, within=TODAY) is None
    await store.costs.charge(charge_of(first, replace(ONE, cost_micro_usd=700)))
    assert await store.runs.claim_next(100, within=TODAY) is None

    free = examples.run()
    await store.runs.add(free)
    assert await store.runs.waiting(100, within=DayLimits(DAY.name, 1300), limit=9) == ()
    assert await store.runs.waiting(100, within=DayLimits(DAY.name, 1301), limit=9) == (free,)


async def test_runs_without_money_left_end_in_the_queue(store: Store) -> None:
    """Issue 7, point 4: each with the reason; the notice of it is stored once."""
    job = examples.job(day_budget_micro_usd=100)
    await store.jobs.add(job)
    await store.costs.charge(charge_of(await live(store, job_id=job.id)))
    run, free = examples.run(job_id=job.id), examples.run()
    await store.runs.add(run)
    await store.runs.add(free)
    (budget,) = await store.costs.spent_budgets(DAY)
    assert budget == DayBudget(DAY, 100, 100, job.id)
    assert await store.costs.refuse_queued(budget, "Nothing left.", 200) == (run.id,)
    ended = replace(
        run,
        status=RunStatus.BUDGET,
        limit_reached=Limit.JOB_DAY,
        error="Nothing left.",
        finished_at=200,
    )
    assert await store.runs.get(run.id) == ended
    assert await store.costs.spent_budgets(DAY) == ()
    notice = new_notice(Occasion.BUDGET_REACHED, job.id, "Title", "Text", 1)
    assert [await store.costs.note_reached(budget, notice) for _ in range(2)] == [True, False]
    assert [kept.notice for kept in await store.notices.newest(5)] == [notice]


async def test_a_job_pauses_unless_it_was_changed_meanwhile(store: Store) -> None:
    """Ours: the owner's own change holds."""
    job = examples.job()
    await store.jobs.add(job)
    assert await store.jobs.pause(job, 5000, next_fire_at=6000)
    assert await store.jobs.get(job.id) == replace(job, paused_until=5000, next_fire_at=6000)
    assert not await store.jobs.pause(replace(job, updated_at=9), 7000, next_fire_at=8000)


async def test_costs_are_added_up_by_day_job_and_model(store: Store) -> None:
    """Issue 7, point 4: from a day on; days newest first, others the dearest first."""
    job = examples.job()
    await store.jobs.add(job)
    run, other = await live(store, job_id=job.id), await live(store)
    for charge in (
        charge_of(run), charge_of(run, model="claude-b"), charge_of(other),
        replace(charge_of(other), day="2026-11-21"), replace(charge_of(run), day="2026-10-01"),
    ):  # fmt: skip
        await store.costs.charge(charge)
    double = Tokens(2, 20, 40, 60, 80, 200)
    triple = Tokens(3, 30, 60, 90, 120, 300)
    lines, since = store.cost_history.lines, "2026-11-01"
    assert await lines(CostGroup.DAY, since) == (
        CostLine("2026-11-22", triple), CostLine("2026-11-21", ONE),
    )  # fmt: skip
    assert set(await lines(CostGroup.JOB, since)) == {
        CostLine(job.id, double), CostLine("", double),
    }  # fmt: skip
    assert await lines(CostGroup.MODEL, since) == (
        CostLine("claude-a", triple), CostLine("claude-b", ONE),
    )  # fmt: skip
    assert await lines(CostGroup.MODEL, since, job.id) == (
        CostLine("claude-a", ONE), CostLine("claude-b", ONE),
    )  # fmt: skip


async def test_costs_by_server_are_those_of_runs_that_called_it(store: Store) -> None:
    """Issue 7, point 4: a run counts whole for each of its servers."""
    run = await live(store)
    await store.costs.charge(charge_of(run))
    await store.run_records.add_calls(
        [
            ToolCall(run.id, 1, number, server, "tool", 1, 1, CallOutcome.OK, 1, 1)
            for number, server in enumerate(["email", "email", "notes", ""])
        ]
    )
    assert await store.cost_history.servers(0) == (
        ServerCost("email", 1, 2, 100, 0), ServerCost("notes", 1, 1, 100, 0),
    )  # fmt: skip
    assert await store.cost_history.servers(run.created_at + 1) == ()
