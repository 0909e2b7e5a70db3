"""What a webhook's runs may cost in a day: they stop, it pauses, the owner is told once."""

from dataclasses import replace

from gateway.budgets.days import day_of
from gateway.domain.budget import Charge, CostGroup, CostLine, DayLimits, Limit, Tokens
from gateway.domain.delivery import Outcome
from gateway.domain.notice import Occasion
from gateway.domain.run import Run, RunStatus, Trigger, run_of_job
from gateway.jobs.day_budgets import DayBudgets
from gateway.webhooks.remarks import state_of
from tests.store import examples
from tests.webhooks.parts import WEBHOOK, Door

ZONE = "Europe/Berlin"


def days_of(door: Door) -> DayBudgets:
    """Return the budgets of days on the door's clock, with its webhooks."""
    days = DayBudgets(door.store, lambda: door.now, zone=ZONE)
    days.pause_webhook = door.hooks.pause_until
    return days


async def spend(door: Door, run: Run, micro_usd: int) -> None:
    """Have a run cost something today."""
    tokens = Tokens(requests=1, cost_micro_usd=micro_usd)
    day = day_of(door.now, ZONE).name
    charge = Charge(run.id, run.attempt, day, run.webhook_id or "", "claude-a", tokens)
    await door.store.costs.charge(charge)


async def test_a_spent_day_stops_runs_and_refuses_deliveries_until_it_is_over(door: Door) -> None:
    """Issue 7, 4 and 6: 503 with Retry-After, a line in the log, one notice; then it goes on."""
    await door.have(day_budget_micro_usd=100, budget_micro_usd=60)
    days, today = days_of(door), day_of(door.now, ZONE)
    for body in (b"1", b"2"):
        assert (await door.post(body)).status == 202
    run = await door.next_run()
    book = await days.book(run)
    assert book.is_limited
    assert await book.reached() is None
    # A second run fits beside the first only if what that may yet spend leaves something.
    within = DayLimits(today.name, None)
    (waiting,) = await door.store.runs.waiting(door.now, within=within, limit=9)
    await spend(door, run, 50)
    assert await door.store.runs.waiting(door.now, within=within, limit=9) == (waiting,)
    await spend(door, run, 50)
    reached = await book.reached()
    assert reached is not None
    assert reached.limit is Limit.WEBHOOK_DAY
    assert "a day for this webhook is spent" in reached.sentence
    await days.note_end(run, reached.limit)
    assert await days.refuse(door.now) == (waiting.id,)
    ended = await door.store.runs.get(waiting.id)
    assert ended is not None
    assert (ended.status, ended.limit_reached) == (RunStatus.BUDGET, Limit.WEBHOOK_DAY)
    refused = await door.post(b"3")
    assert refused.status == 503
    assert refused.headers["retry-after"] == str(-(-(today.ends_at - door.now) // 1000))
    assert Outcome.BUDGET in {line.outcome for line in await door.log()}
    told = [kept.notice for kept in await door.store.notices.newest(9)]
    assert [(each.occasion, each.subject) for each in told] == [
        (Occasion.BUDGET_REACHED, WEBHOOK.id)
    ]
    stored = await door.store.webhooks.get(WEBHOOK.id)
    assert stored is not None
    assert state_of(stored, door.now) == "paused"
    door.now = today.ends_at
    assert state_of(stored, door.now) == "on"
    assert (await door.post(b"3")).status == 202


async def test_webhooks_take_nothing_while_no_run_can_start(door: Door) -> None:
    """Ours: the budget of all runs; who is told to come again loses nothing."""
    await door.have()
    assert (await door.post(b"1")).status == 202
    run = await door.next_run()
    assert (await door.post(b"2")).status == 202
    await spend(door, run, 100)
    days = DayBudgets(door.store, lambda: door.now, zone=ZONE, all_micro_usd=100)
    assert len(await days.refuse(door.now)) == 1
    door.spent_until = days.spent_until
    refused = await door.post(b"3")
    today = day_of(door.now, ZONE)
    assert (refused.status, refused.headers["retry-after"]) == (
        503, str(-(-(today.ends_at - door.now) // 1000)),
    )  # fmt: skip
    door.now = today.ends_at
    assert (await door.post(b"3")).status == 202


async def test_a_run_that_ends_when_its_budget_is_not_spent_any_more_pauses_nothing(
    door: Door,
) -> None:
    """Ours: the day is over, or the owner raised the budget of the webhook or of all runs."""
    await door.have(day_budget_micro_usd=100)
    assert (await door.post(b"1")).status == 202
    run = await door.next_run()
    await spend(door, run, 100)
    kept = await door.store.notices.newest(9)
    for raised, now in ((200, door.now), (100, day_of(door.now, ZONE).ends_at)):
        door.now = now
        days = DayBudgets(door.store, lambda: door.now, zone=ZONE, all_micro_usd=raised)
        await door.store.webhooks.update(replace(WEBHOOK, day_budget_micro_usd=raised))
        for limit in (Limit.WEBHOOK_DAY, Limit.ALL_DAY):
            await days.note_end(run, limit)
        stored = await door.store.webhooks.get(WEBHOOK.id)
        assert stored is not None
        assert stored.paused_until is None
    assert await door.store.notices.newest(9) == kept


async def test_a_job_pauses_whose_schedule_cannot_be_read_any_more(door: Door) -> None:
    """Ours: other runs go on to be claimed."""
    due = door.now + 1
    job = examples.job(cron="<nonsense>", day_budget_micro_usd=100, next_fire_at=due)
    await door.store.jobs.add(job)
    run = run_of_job(job, trigger=Trigger.MANUAL, now=door.now)
    await door.store.runs.add(run)
    day = day_of(door.now, ZONE)
    charge = Charge(run.id, 1, day.name, job.id, "claude-a", Tokens(cost_micro_usd=100))
    await door.store.costs.charge(charge)
    assert await days_of(door).refuse(door.now) == (run.id,)
    paused = await door.store.jobs.get(job.id)
    assert paused is not None
    assert (paused.paused_until, paused.next_fire_at) == (day.ends_at, None)


async def test_a_change_does_not_undo_a_pause_that_began_meanwhile(door: Door) -> None:
    """Ours: a form that was read before is saved after; switching on ends a pause all the same."""
    old = await door.have()
    await door.hooks.pause(old, 3)
    await door.hooks.pause_until(old.id, door.now + 9)
    assert await door.hooks.update(old, replace(old, name="renamed"))
    paused = await door.store.webhooks.get(old.id)
    assert paused is not None
    assert (paused.name, paused.paused_at, paused.paused_until) == (
        "renamed", door.now, door.now + 9,
    )  # fmt: skip
    assert await door.hooks.update(paused, replace(paused, paused_at=None, paused_until=None))
    freed = await door.store.webhooks.get(old.id)
    assert freed is not None
    assert (freed.paused_at, freed.paused_until) == (None, None)


async def test_costs_are_added_up_by_webhook(door: Door) -> None:
    """Issue 7, 4: of webhooks alone, also of one that is deleted."""
    await door.have()
    await door.post(b"1")
    run = await door.next_run()
    await spend(door, run, 7)
    await spend(door, replace(run, webhook_id="job_x"), 9)
    await door.hooks.delete(WEBHOOK.id)
    lines = await door.store.cost_history.lines(CostGroup.WEBHOOK, "2000-01-01")
    assert lines == (CostLine(WEBHOOK.id, Tokens(requests=1, cost_micro_usd=7)),)
