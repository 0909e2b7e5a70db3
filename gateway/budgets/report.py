"""What runs cost in the last days, for tool, command and page alike."""

from dataclasses import dataclass
from datetime import date

from gateway.budgets.days import day_of, days_before
from gateway.domain.budget import CostGroup, CostLine, ServerCost
from gateway.domain.units import dollars
from gateway.settings import Settings
from gateway.store import Store

DAY_MS = 24 * 3600 * 1000
MAX_DAYS = 400


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one day, job, webhook, model or server cost."""

    name: str
    """A day, the id of a job or webhook ('' for runs of neither), a model, or a server."""
    cost_usd: float | None
    unpriced: int
    """Requests, by server runs, whose price is not known; cost_usd is without them."""
    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    runs: int | None
    """By server alone: runs that called its tools. A run counts whole for each of its servers."""
    calls: int | None


@dataclass(frozen=True, slots=True)
class Costs:
    """What runs cost, and what all of them may cost in a day."""

    since: str
    rows: list[CostRow]
    today_usd: float | None
    daily_budget_usd: float | None
    prices_as_of: str
    prices_remark: str | None
    """That they are old; None: they are not."""


class CostReport:
    """Reads what runs cost."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def read(self, by: CostGroup, days: int, owner: str | None, *, now: int) -> Costs:
        """Return the costs of today and so many days before, less one.

        `owner`: only of this job's or webhook's runs. Raises StoreError.
        """
        today = day_of(now, self._settings.default_timezone).name
        since = days_before(today, days - 1)
        history, prices = self._store.cost_history, self._settings.prices
        if by is CostGroup.SERVER:
            found = await history.servers(now - days * DAY_MS, owner)
            rows = [_server_row(each) for each in found]
        else:
            rows = [_row(line) for line in await history.lines(by, since, owner)]
        return Costs(
            since=since,
            rows=rows,
            today_usd=dollars(await self._store.costs.spent(today)),
            daily_budget_usd=dollars(self._settings.daily_budget_usd or None),
            prices_as_of=prices.as_of.isoformat(),
            prices_remark=prices.remark(date.fromisoformat(today)),
        )


def _row(line: CostLine) -> CostRow:
    tokens = line.tokens
    return CostRow(
        name=line.name,
        cost_usd=dollars(tokens.cost_micro_usd),
        unpriced=tokens.unpriced,
        requests=tokens.requests,
        input_tokens=tokens.input_tokens,
        output_tokens=tokens.output_tokens,
        cache_read_tokens=tokens.cache_read_tokens,
        cache_write_tokens=tokens.cache_write_tokens,
        runs=None,
        calls=None,
    )


def _server_row(cost: ServerCost) -> CostRow:
    return CostRow(
        name=cost.server,
        cost_usd=dollars(cost.cost_micro_usd),
        unpriced=cost.unpriced,
        requests=None,
        input_tokens=None,
        output_tokens=None,
        cache_read_tokens=None,
        cache_write_tokens=None,
        runs=cost.runs,
        calls=cost.calls,
    )
