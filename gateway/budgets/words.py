"""Budgets and money in words. Pure."""

from gateway.domain.budget import DayBudget, Limit

MICRO = 1_000_000
_WHOSE = {
    Limit.ALL_DAY: "all runs",
    Limit.JOB_DAY: "this job",
    Limit.WEBHOOK_DAY: "this webhook",
}


def dollars(micro_usd: int) -> str:
    """Return money for a sentence."""
    return f"{micro_usd / MICRO:g} US dollars"


def day_is_spent(budget: DayBudget) -> str:
    """Say which day's budget is spent and how far, without a stop at the end."""
    whose = _WHOSE[budget.limit]
    spent = budget.spent_micro_usd / MICRO
    return (
        f"the budget of {dollars(budget.limit_micro_usd)} a day for {whose} is spent"
        f" ({spent:g} on {budget.day.name})"
    )
