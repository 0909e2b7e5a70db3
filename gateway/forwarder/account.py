"""What each live run may spend and has spent; nothing of it is stored."""

import secrets

import anyio

from gateway.auth.run_tokens import token_hash
from gateway.budgets.book import Book, Reached
from gateway.budgets.prices import PriceList, Usage, unknown_price
from gateway.budgets.words import dollars
from gateway.domain.budget import Limit

PREFIX = "crf_"
"""Tells a token for the forwarder from one for servers, for people and secret scanners."""
MAX_PARALLEL = 4
"""Requests of one run at a time; more wait. Bounds memory and how far a budget is overshot."""


class Account:
    """The spending of one live run. A request in flight counts once its answer has come."""

    def __init__(
        self,
        run_id: str,
        budget_micro_usd: int | None,
        prices: PriceList,
        *,
        max_turns: int | None = None,
        turns: int = 0,
        book: Book | None = None,
    ) -> None:
        """`turns`: those of earlier attempts, which count as well."""
        self.run_id = run_id
        self._prices = prices
        self.requests = anyio.Semaphore(MAX_PARALLEL)
        self.ended = anyio.Event()
        """Set when the run is over: what is in flight is cut."""
        self.admitted = anyio.Event()
        """Requests wait for it; set unless they are held."""
        self.admitted.set()
        self.exhausted = anyio.Event()
        """Set when a request was refused because of a limit, `reached`."""
        self.reached: Reached | None = None
        self.spent_micro_usd = 0
        self.input_tokens = 0
        """Of prompts, cached or not."""
        self.output_tokens = 0
        self.unreached = False
        """The last answer to a prompt was that nobody is there or has time."""
        self._budget = budget_micro_usd
        self._max_turns = max_turns
        self._turns = turns
        """Answers that ask for tools, and so for another turn."""
        self._book = book
        self._unpriced = False

    def charge_to(self, book: Book) -> None:
        """From now on write down what is spent, and keep to the budgets of the day."""
        self._book = book

    def hold(self) -> None:
        """Let requests wait: whether the run has its tools is still to be seen."""
        self.admitted = anyio.Event()

    def admit(self) -> None:
        """Let requests through."""
        self.admitted.set()

    @property
    def cost_micro_usd(self) -> int | None:
        """What the run has cost; None when nothing was asked or a model has no known price."""
        if self._unpriced or not self.input_tokens + self.output_tokens:
            return None
        return self.spent_micro_usd

    async def objection(self, model: str) -> str | None:
        """Return why the run may not ask this model now, in one sentence, or None.

        Raises StoreError when a day's budget cannot be looked up.
        """
        if self.is_unaccountable(model):
            return unknown_price(model)
        reached = self._own_limit() or (await self._book.reached() if self._book else None)
        if reached is None:
            return None
        self.reached = self.reached or reached
        self.exhausted.set()
        return reached.sentence

    def is_unaccountable(self, model: str) -> bool:
        """Tell whether a budget cannot be kept because a price is not known."""
        limited = self._budget is not None or (self._book is not None and self._book.is_limited)
        return limited and (self._unpriced or self._prices.price_of(model) is None)

    async def charge(self, model: str, usage: Usage, *, asks_for_tools: bool) -> None:
        """Add what one answer used. Raises StoreError."""
        self.input_tokens += usage.prompt
        self.output_tokens += usage.output
        self._turns += asks_for_tools
        cost = self._prices.cost_micro_usd(model, usage)
        if cost is None:
            self._unpriced = True
        else:
            self.spent_micro_usd += cost
        if self._book is not None:
            await self._book.charge(model, usage, cost)

    def _own_limit(self) -> Reached | None:
        if self._budget is not None and self.spent_micro_usd >= self._budget:
            return Reached(Limit.RUN_MONEY, f"Stopped at the budget of {dollars(self._budget)}.")
        if self._max_turns is not None and self._turns >= self._max_turns:
            return Reached(Limit.RUN_TURNS, f"Stopped at the limit of {self._max_turns} turns.")
        return None


class Accounts:
    """The accounts of live runs, by the hash of their tokens."""

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._accounts: dict[str, Account] = {}

    def open(
        self,
        run_id: str,
        budget_micro_usd: int | None,
        *,
        max_turns: int | None = None,
        turns: int = 0,
        book: Book | None = None,
    ) -> tuple[str, Account]:
        """Return a fresh token and the account that it opens; `book` is where it is written."""
        token = PREFIX + secrets.token_urlsafe(32)
        account = Account(
            run_id, budget_micro_usd, self._prices, max_turns=max_turns, turns=turns, book=book
        )
        self._accounts[token_hash(token)] = account
        return token, account

    def find(self, token: str) -> Account | None:
        """Return the account of a live run's token, or None."""
        return self._accounts.get(token_hash(token))

    def close(self, account: Account) -> None:
        """End an account: its token is worth nothing from now on."""
        account.ended.set()
        self._accounts = {
            hashed: found for hashed, found in self._accounts.items() if found is not account
        }
