"""What runs get whose job, webhook or caller says nothing of limits, and what budgets refuse."""

from dataclasses import dataclass

from gateway.budgets.prices import unknown_price
from gateway.settings import Settings


class UnknownPrice(Exception):
    """A money budget with a model whose price nobody knows; the message is one sentence."""

    def __init__(self, model: str) -> None:
        super().__init__(unknown_price(model))
        self.model = model


@dataclass(frozen=True, slots=True)
class RunDefaults:
    """The limits of a run; None: no limit."""

    budget_micro_usd: int | None
    max_turns: int | None
    timeout_s: float


def run_defaults(settings: Settings) -> RunDefaults:
    """Return the owner's defaults."""
    return RunDefaults(
        settings.default_run_budget_usd or None,
        settings.default_run_turns or None,
        settings.default_run_timeout_s,
    )


def check_budget(settings: Settings, model: str | None, *budgets: int | None) -> None:
    """Refuse money budgets, also that of all runs, with a model without a price.

    Raises UnknownPrice.
    """
    limited = bool(settings.daily_budget_usd) or any(budget is not None for budget in budgets)
    model = model or settings.claude_model
    if limited and settings.prices.is_unknown(model):
        raise UnknownPrice(model)
