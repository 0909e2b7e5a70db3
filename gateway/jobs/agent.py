"""Prepares the attempt at a run: what it may use, its token, its folders, its CLI options."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from gateway.auth.run_tokens import RunTokens
from gateway.budgets.book import Book
from gateway.budgets.prices import unknown_price
from gateway.domain.run import Run
from gateway.domain.view import OWN_TOOLS
from gateway.forwarder import Accounts
from gateway.jobs.access import Access, plan_access
from gateway.jobs.attempt import Attempt
from gateway.jobs.clock import Clock
from gateway.jobs.confinement import assign_uid, confine, hand_over_folders
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.door import Asgi, Door, door_on_loopback, door_to_sandbox, rooms
from gateway.jobs.errors import RunRefused
from gateway.jobs.feed import Feed
from gateway.jobs.folders import (
    RunFolders,
    keep_conversation,
    make_folders,
    remove_folders,
    write_servers,
    write_system_prompt,
)
from gateway.jobs.gate import Offer, ServerGate
from gateway.jobs.options import AgentConfig, cli_environment, cli_options
from gateway.jobs.proof import problem_with_offer
from gateway.jobs.queue import defaults_of
from gateway.jobs.recorder import Recorder
from gateway.jobs.run_egress import egress_of, proxy_of
from gateway.run_files.shelf import Shelf
from gateway.server_entries import COMBINED_NAME, combined_entry
from gateway.store import Store
from sandboxes.launch import Launch
from sandboxes.network.outside import Outside
from sandboxes.network.traffic import Traffic
from sandboxes.policy import Level
from supervisor.errors import SupervisorError
from supervisor.redaction import Redactor

TOKEN_MARGIN_S = 300.0
"""A run's token outlives its time limit by the start before and the clean-up after."""


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
    ) -> None:
        self._store = store
        self._home = home
        self._clock = clock
        self._config = config
        self._gate = gate
        self._run_tokens = run_tokens
        self._accounts = accounts
        self._outside = outside
        self._redactor = redactor
        self._days = days
        self._shelf = shelf
        self._rooms = rooms(forwarder, gate.serve)
        self._assigning = anyio.Lock()
        """One user at a time: the owner of a work folder is the record that its uid is taken."""

    @asynccontextmanager
    async def attempt(self, run: Run, feed: Feed) -> AsyncGenerator[Attempt]:
        """Give the attempt at `run`; its tokens and private folder are gone afterwards.

        `feed` is told what it does. Raises RunRefused, SandboxError, and SupervisorError for a
        server that cannot take calls.
        """
        self._check_config()
        book = await self._days.book(run)
        self._check_price(run, book)
        access = plan_access(run, await defaults_of(self._store, self._gate))
        first_message = await self._store.runs.count_messages(run.id) if run.attempt > 1 else 0
        turns = await self._earlier_turns(run)
        level = self._config.level
        egress, traffic = egress_of(run.network, level), Traffic()
        proxy = egress and proxy_of(run, egress, self._outside, traffic)
        folders = make_folders(self._home, run, passable=level is Level.REDUCED)
        api_token, account = self._accounts.open(
            run.id,
            _left(run),
            max_turns=run.max_turns,
            turns=turns,
            book=book,
        )
        attempt: Attempt | None = None
        strong = level is Level.STRONG
        door = door_to_sandbox(folders.private) if strong else door_on_loopback()
        try:
            offers = await self._hand_over_servers(run, access, folders, door)
            if run.system_prompt is not None:
                write_system_prompt(folders, run.system_prompt)
            env = cli_environment(folders, self._config, api_url=door.url, api_token=api_token)
            options = partial(
                cli_options,
                run,
                access,
                folders,
                config=self._config,
                launch=await self._confine(env, folders, proxied=proxy is not None),
                withheld=_withheld(access, offers),
            )
            async with door.serving(self._rooms, proxy):
                attempt = Attempt(
                    run,
                    access,
                    folders,
                    account,
                    traffic,
                    limits=self._config.limits,
                    options=lambda stderr: options(stderr=stderr),
                    runs=self._store.runs,
                    records=self._store.run_records,
                    recorder=Recorder(
                        run,
                        offers.values(),
                        now_ms=self._clock.now_ms,
                        generation_of=self._generation_of,
                        hide=self._redactor.hide_tree,
                        own_names=access.own_names,
                    ),
                    shelf=self._shelf,
                    feed=feed,
                    now_ms=self._clock.now_ms,
                    hide=self._redactor.hide_tree,
                    first_message=first_message,
                )
                yield attempt
        finally:
            self._run_tokens.revoke(run.id)
            self._accounts.close(account)
            door.close()
            with anyio.CancelScope(shield=True):
                leave = keep_conversation if attempt and attempt.is_resumed else remove_folders
                await anyio.to_thread.run_sync(leave, folders)

    async def _confine(
        self, env: Mapping[str, str], folders: RunFolders, *, proxied: bool
    ) -> Launch:
        """Hand the folders over to the CLI's user and return how the CLI starts."""
        config = self._config
        async with self._assigning:
            uid = assign_uid(folders, config.uid_base)
            await anyio.to_thread.run_sync(hand_over_folders, folders, uid)
        return confine(
            config.cli,
            env,
            folders,
            level=config.level,
            limits=config.limits,
            uid=uid,
            proxied=proxied,
            readable=config.certificates.values(),
            closed_ports=config.closed_ports,
        )

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

    async def _hand_over_servers(
        self, run: Run, access: Access, folders: RunFolders, door: Door
    ) -> Mapping[str, Offer]:
        """Let the run reach its servers; return what each has now."""
        if not access.servers:
            return {}
        if access.own_names and COMBINED_NAME in access.servers:
            raise RunRefused(
                f"Server {COMBINED_NAME!r} has the name under which tools with names of the run's"
                " own are connected; rename the server, or leave those names out."
            )
        token = self._run_tokens.issue(
            run.id,
            tools=access.tools,
            names=access.renamed,
            ttl_s=run.timeout_s + TOKEN_MARGIN_S,
        )
        entries = await self._gate.entries(access.servers, token, door.url)
        entries |= combined_entry(base_url=door.url, token=token)
        write_servers(folders, {name: entries[name] for name in access.entries})
        self._gate.check_tools(access.granted)
        offers = {server: self._gate.offer(server) for server in access.servers}
        offered = {server: offer.tools for server, offer in offers.items()}
        if problem := problem_with_offer(access, offered):
            raise RunRefused(problem)
        return offers

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


def _withheld(access: Access, offers: Mapping[str, Offer]) -> tuple[tuple[str, str], ...]:
    """Return tools of the CLI's entries that the run may not call there, so that it sees none."""
    renamed = {pair for pair, _ in access.own_names}
    pairs = [(server, tool) for server, offer in offers.items() for tool in offer.tools]
    called = {pair for pair in pairs if access.allows(*pair) and pair not in renamed}
    withheld = [pair for pair in pairs if pair not in called]
    if renamed:
        full_names = (f"mcp__{server}__{tool}" for server, tool in called)
        withheld += [(COMBINED_NAME, tool) for tool in (*sorted(OWN_TOOLS), *full_names)]
    return tuple(withheld)


def _left(run: Run) -> int | None:
    """Return what a run may still spend after its earlier attempts; None: any amount."""
    if run.budget_micro_usd is None:
        return None
    return max(0, run.budget_micro_usd - (run.cost_micro_usd or 0))
