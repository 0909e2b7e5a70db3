"""Budgets and money in words. Pure."""

from gateway.domain.budget import DayBudget

MICRO = 1_000_000


def dollars(micro_usd: int) -> str:
    """Return money for a sentence."""
    return f"{micro_usd / MICRO:g} US dollars"


def day_is_spent(budget: DayBudget) -> str:
    """Say which day's budget is spent and how far, without a stop at the end."""
    whose = "all runs" if budget.job_id is None else "this job"
    spent = budget.spent_micro_usd / MICRO
    return (
        f"the budget of {dollars(budget.limit_micro_usd)} a day for {whose} is spent"
        f" ({spent:g} on {budget.day.name})"
    )
