"""What a job or webhook cost, a bar a day, as an SVG that needs neither script nor style. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.budgets.days import days_before
from gateway.dashboard.views import money

DAYS = 30
WIDTH = 300
HEIGHT = 60
GAP = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One day."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class CostChart:
    """The days up to today, oldest first."""

    bars: tuple[Bar, ...]
    first: str
    last: str
    top: str
    """The dearest day's cost; the bars are drawn to it."""
    total: str


def cost_chart(costs: Mapping[str, int], today: str) -> CostChart:
    """Return the chart of costs in micro-dollars by day."""
    days = [days_before(today, back) for back in reversed(range(DAYS))]
    amounts = [costs.get(day, 0) for day in days]
    return CostChart(
        bars=_bars(days, amounts),
        first=days[0],
        last=days[-1],
        top=money(max(amounts)),
        total=money(sum(amounts)),
    )


def _bars(days: Sequence[str], amounts: Sequence[int]) -> tuple[Bar, ...]:
    step, top = WIDTH / len(days), max(amounts) or 1
    return tuple(
        Bar(
            x=round(number * step, 1),
            y=round(HEIGHT * (1 - amount / top), 1),
            width=round(step - GAP, 1),
            height=round(HEIGHT * amount / top, 1),
            title=f"{day}: {money(amount)}",
        )
        for number, (day, amount) in enumerate(zip(days, amounts, strict=True))
    )
