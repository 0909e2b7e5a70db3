"""Prepares the attempt at a run: what it may use, what is paid for it, the place of its CLI."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from anyio.abc import TaskGroup

from gateway.auth.run_tokens import RunTokens
from gateway.budgets.book import Book
from gateway.budgets.prices import unknown_price
from gateway.domain.run import Run
from gateway.forwarder import Accounts
from gateway.jobs.access import Access, plan_access
from gateway.jobs.attempt import Attempt
from gateway.jobs.clock import Clock
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.door import Asgi
from gateway.jobs.errors import RunRefused
from gateway.jobs.feed import Feed
from gateway.jobs.gate import Offer, ServerGate
from gateway.jobs.options import AgentConfig
from gateway.jobs.places import Place, Places
from gateway.jobs.proof import problem_with_offer
from gateway.jobs.queue import defaults_of
from gateway.jobs.recorder import Recorder
from gateway.jobs.setup import Setup, setup_of
from gateway.jobs.standbys import Standbys
from gateway.jobs.surroundings import Surroundings
from gateway.run_files.shelf import Shelf
from gateway.server_entries import COMBINED_NAME
from gateway.store import Store
from sandboxes.network.outside import Outside
from supervisor.errors import SupervisorError
from supervisor.redaction import Redactor


class Agent:
    """Makes attempts; whoever executes one needs to know nothing of servers and tokens."""

    def __init__(
        self,
        *,
        store: Store,
        home: Path,
        clock: Clock,
        config: AgentConfig,
        gate: ServerGate,
        run_tokens: RunTokens,
        accounts: Accounts,
        forwarder: Asgi,
        outside: Outside,
        redactor: Redactor,
        days: DayBudgets,
        shelf: Shelf,
        tasks: TaskGroup,
        on_unused: Callable[[], None],
        around: Surroundings,
    ) -> None:
        """`tasks` outlives every attempt. `on_unused`, `around`: see `Standbys`."""
        self._store = store
        self._clock = clock
        self._config = config
        self._gate = gate
        self._redactor = redactor
        self._days = days
        self._shelf = shelf
        self._places = Places(home, config, gate, run_tokens, accounts, forwarder, outside)
        self.standbys = Standbys(
            tasks,
            self._places,
            self._set_up,
            clock,
            config.limits,
            config.standby_s,
            on_unused,
            around,
        )

    @asynccontextmanager
    async def attempt(self, run: Run, feed: Feed) -> AsyncGenerator[Attempt]:
        """Give the attempt at `run`; its tokens and private folder are gone afterwards.

        `feed` is told what it does. Raises RunRefused, SandboxError, and SupervisorError for a
        server that cannot take calls.
        """
        self._check_config()
        book = await self._days.book(run)
        self._check_price(run, book)
        first_message = await self._store.runs.count_messages(run.id) if run.attempt > 1 else 0
        setup = await self._set_up(run)
        async with self._place(run, setup) as place:
            place.account.charge_to(book)
            yield self._attempt(run, place, feed, first_message)

    @asynccontextmanager
    async def _place(self, run: Run, setup: Setup) -> AsyncGenerator[Place]:
        """Give the place where a CLI waits for this run, or a new one."""
        async with self.standbys.place(run, setup) as place:
            if place is not None:
                yield place
                return
        async with self._places.open(run.id, setup) as place:
            yield place

    def _attempt(self, run: Run, place: Place, feed: Feed, first_message: int) -> Attempt:
        hide = self._redactor.hide_tree
        return Attempt(
            run,
            place,
            limits=self._config.limits,
            runs=self._store.runs,
            records=self._store.run_records,
            recorder=Recorder(
                run,
                place.setup.offers,
                now_ms=self._clock.now_ms,
                generation_of=self._generation_of,
                hide=hide,
                own_names=place.setup.access.own_names,
            ),
            shelf=self._shelf,
            feed=feed,
            now_ms=self._clock.now_ms,
            hide=hide,
            first_message=first_message,
        )

    async def _set_up(self, run: Run) -> Setup:
        """Return what the run is given, once its servers take calls."""
        access = plan_access(run, await defaults_of(self._store, self._gate))
        _check_names(access)
        await self._gate.ready(access.servers)
        offers = self._offers(access)
        turns = await self._earlier_turns(run)
        return setup_of(run, access, offers, model=self._config.model, turns=turns)

    def _offers(self, access: Access) -> tuple[Offer, ...]:
        """Return what each server has now."""
        self._gate.check_tools(access.granted)
        offers = tuple(self._gate.offer(server) for server in access.servers)
        if problem := problem_with_offer(access, {each.server: each.tools for each in offers}):
            raise RunRefused(problem)
        return offers

    def _check_config(self) -> None:
        if self._config.api_key is None:
            raise RunRefused("ANTHROPIC_API_KEY is not set; set it and restart to let jobs run.")
        if not self._config.cli.is_file():
            raise RunRefused(
                f"The Claude CLI is missing at {self._config.cli}; install the requirements again."
            )

    def _check_price(self, run: Run, book: Book) -> None:
        model = run.model or self._config.model
        limited = run.budget_micro_usd is not None or book.is_limited
        if limited and self._config.prices.is_unknown(model):
            raise RunRefused(unknown_price(model))

    async def _earlier_turns(self, run: Run) -> int:
        """Return the answers of the model in earlier attempts; each led to tools, or to its end."""
        if run.attempt <= 1 or run.max_turns is None:
            return 0
        return sum(model.tokens.requests for model in await self._store.costs.of_run(run.id))

    def _generation_of(self, server: str) -> int | None:
        try:
            return self._gate.offer(server).generation
        except SupervisorError:
            return None


def _check_names(access: Access) -> None:
    if access.own_names and COMBINED_NAME in access.servers:
        raise RunRefused(
            f"Server {COMBINED_NAME!r} has the name under which tools with names of the run's"
            " own are connected; rename the server, or leave those names out."
        )
