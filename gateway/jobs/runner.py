"""Executes runs: claims them from the queue in order of urgency, a few at a time.

At most once: a run is written down before it starts and claimed by a conditional update, and what
a claim writes carries its attempt number. A run that this process could not finish is marked
interrupted, at the end or at the next start.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel
import httpx2
from anyio.abc import TaskGroup

from gateway.auth.run_tokens import RunTokens
from gateway.domain.run import Run, RunResult, RunStatus
from gateway.forwarder import DEFAULT_URL, Accounts, Forwarder, Upstream, upstream_client
from gateway.jobs.clock import Clock, wait_until
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.ending import STORE_PAUSE_S, Endings
from gateway.jobs.errors import RunFinished, RunNotFound, RunRefused
from gateway.jobs.feed import Feed
from gateway.jobs.feeds import Feeds
from gateway.jobs.folders import folders_of, remove_folders
from gateway.jobs.gate import ServerGate
from gateway.jobs.late_agent import LateAgent
from gateway.jobs.limits import RunLimits
from gateway.jobs.live import LiveRun
from gateway.jobs.options import AgentConfig
from gateway.jobs.outcome import Ended, Stop
from gateway.jobs.queue import Queue
from gateway.jobs.shared_runs import SharedRuns
from gateway.jobs.surroundings import MACHINE, Surroundings
from gateway.jobs.tidying import Tidying
from gateway.jobs.work_folders import Retention, WorkFolders
from gateway.log_lines import about
from gateway.run_files.shelf import Shelf
from gateway.store import Store, StoreError
from sandboxes.errors import SandboxError
from sandboxes.network.outside import Internet, Outside
from supervisor.errors import SupervisorError
from supervisor.redaction import Redactor

if TYPE_CHECKING:
    # It imports the Agent SDK, which takes a second; see `late_agent`.
    from gateway.jobs.agent import Agent

log = logging.getLogger(__name__)

DRAIN_S = 10.0
"""How long runs may go on once the gateway is to end."""
STOP_S = 8.0
"""After that: an interrupt (5 s at most) and the kill (2 s), with a second to write it down."""
KEPT = Retention()
DEFAULT_LIMITS = RunLimits()
KILLED = "Killed on request."
SHUT_DOWN = "The gateway was stopped while the run was going on."


class Runner:
    """Owns the live runs: ``async with Runner(...) as runner``."""

    def __init__(
        self,
        *,
        store: Store,
        home: Path,
        clock: Clock,
        agent: AgentConfig,
        gate: ServerGate,
        run_tokens: RunTokens,
        limits: RunLimits = DEFAULT_LIMITS,
        begin: Callable[[], Awaitable[object]] = anyio.lowlevel.checkpoint,
        outside: Outside | None = None,
        retention: Retention = KEPT,
        redactor: Redactor | None = None,
        notify_after: int = 1,
        days: DayBudgets | None = None,
        shelf: Shelf | None = None,
        told: Callable[[Run], None] = lambda run: None,
        node: str | None = None,
        around: Surroundings = MACHINE,
    ) -> None:
        """`begin` is awaited before the first claim: runs must not start before their servers.

        `outside` is what runs reach besides the model and their servers; None: the internet.
        `redactor` hides secrets in what is stored of a run. `notify_after`: so many failures of a
        job in a row are worth a notice; 0: none.
        `redactor` hides secrets in what is stored of a run. `days`: what runs may cost in a day;
        None: any amount. `shelf` keeps the files that runs leave. `told` is told of each run as it
        ended. `node`: this gateway among those that share the store; None: it is the only one.
        `around`: what CLIs that wait look at.
        """
        self._store = store
        self._home = home
        self._clock = clock
        self._config = agent
        self._gate = gate
        self._run_tokens = run_tokens
        self.ahead = LateAgent(self._make_agent)
        """What is started before its run."""
        self._limits = limits
        self._upstream = Upstream(agent.api_key, agent.base_url or DEFAULT_URL)
        self._client: httpx2.AsyncClient
        self._days = days or DayBudgets(store, clock.now_ms)
        self._node = node
        self._queue = Queue(store, gate, limits, self._days, node)
        self._stack = AsyncExitStack()
        self._begin = begin
        self._outside = outside or Internet()
        self._redactor = redactor or Redactor()
        self._shelf = shelf or Shelf(home, store, self._redactor.hide_text)
        self._endings = Endings(
            store,
            home,
            clock,
            self._redactor,
            self._days,
            self._shelf,
            notify_after=notify_after,
            told=told,
        )
        self._told = told
        self._around = around
        self.feeds = Feeds(store, self._redactor.hide_settled)
        """Where readers follow runs."""
        self._tidying = Tidying(
            WorkFolders(home, store, clock.now_ms, retention),
            self._shelf,
            self._days,
            busy=self._busy_folders,
            live=lambda: set(self._live),
        )
        self._tasks: TaskGroup
        self._wake = anyio.Event()
        self._live: dict[str, LiveRun] = {}
        self._changed: dict[str, anyio.Event] = {}
        self._last: Run | None = None
        """Succeeded, and nothing has been done about another one like it."""
        self._claiming = anyio.Lock()
        self._accepting = True
        self.resting = False
        """Nothing is claimed, until it is false and `wake` called."""
        self.shared = SharedRuns(
            store,
            node,
            self._endings,
            live=self._live,
            claiming=self._claiming,
            announce=self._announce,
        )

    async def __aenter__(self) -> Self:
        """Account for the runs of an earlier gateway, then start to claim."""
        await self._endings.account_for_earlier(self._node)
        self._client = await self._stack.enter_async_context(upstream_client(self._upstream))
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._claim_forever)
        self._tasks.start_soon(self._tidying.forever)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.drain(DRAIN_S if error is None else 0.0)
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(kind, error, trace)
        await self._stack.aclose()

    def _make_agent(self) -> "Agent":
        # Imported by now.
        from gateway.jobs.agent import Agent

        accounts = Accounts(self._config.prices)
        return Agent(
            store=self._store,
            home=self._home,
            clock=self._clock,
            config=self._config,
            gate=self._gate,
            run_tokens=self._run_tokens,
            accounts=accounts,
            forwarder=Forwarder(self._client, self._upstream, accounts),
            outside=self._outside,
            redactor=self._redactor,
            days=self._days,
            shelf=self._shelf,
            tasks=self._tasks,
            on_unused=self._tidying.soon,
            around=self._around,
        )

    @property
    def live_runs(self) -> int:
        """How many runs are going on."""
        return len(self._live)

    def _busy_folders(self) -> set[str]:
        """Return the names of work folders in use."""
        return {*self.ahead.work_folders(), *(live.work for live in self._live.values())}

    async def submit(self, run: Run) -> Run:
        """Store a queued run and see to it that it is executed.

        Returns the run as stored: its id may be another one, for which a CLI waits already.
        Raises UnknownJob, and RunRefused for an instant that the job has already run.
        """
        run = self.ahead.named(run)
        with self.ahead.storing([run]):
            is_new = await self._store.runs.add(run)
        if not is_new:
            self.ahead.unnamed(run.id)
            raise RunRefused(f"Job {run.job_id!r} has already run for this instant.")
        self._wake.set()
        return run

    def wake(self) -> None:
        """Look at the queue now, because a run was stored there by someone else."""
        self._wake.set()

    def look_again(self) -> None:
        """The same, and have whoever waits for a run, or reads it, look at its row again."""
        changed, self._changed = self._changed, {}
        for event in changed.values():
            event.set()
        self.feeds.mark_all()
        self._wake.set()

    def wake_if_free(self) -> None:
        """The same for runs that do not expire, of which many may come while none can start."""
        if len(self._live) < self._limits.total:
            self._wake.set()

    async def kill(self, run_id: str, reason: str = KILLED) -> Run:
        """End a queued or live run and return it, ended. Raises RunNotFound, RunFinished."""
        await self.stop(run_id, reason)
        return await self.wait(run_id)

    async def stop(self, run_id: str, reason: str) -> None:
        """Have a queued or live run end, soon. Raises RunNotFound, RunFinished."""
        while not await self._try_to_stop(run_id, reason):
            run = await self._get(run_id)
            # Others may have queued or claimed it since it was looked for here and there.
            mine = run.node in (None, self._node)
            if run.status.final or (mine and run.status is not RunStatus.QUEUED):
                raise RunFinished(run_id, run.status)

    async def _try_to_stop(self, run_id: str, reason: str) -> bool:
        """Have a run end that waits here, is live here, or is another node's; False if none is."""
        async with self._claiming:
            live = self._live.get(run_id)
            cancelled = live is None and await self._store.runs.cancel_queued(
                run_id, self._clock.now_ms(), reason
            )
        if live is not None:
            if live.stop(Stop(RunStatus.CANCELLED, reason)):
                return True
            await live.ended.wait()
            return False
        if cancelled:
            await self._leave_nothing(run_id)
            return True
        return await self._ask_other(run_id, reason)

    async def _ask_other(self, run_id: str, reason: str) -> bool:
        """Have the node end a run that has it; False when none has."""
        node = self._node
        return node is not None and await self._store.node_runs.ask_stop(run_id, node, reason)

    async def _leave_nothing(self, run_id: str) -> None:
        """Clear away what a run left that ended in the queue, and say that it did."""
        # First: whoever deletes its job does not wait for the end of a CLI.
        run = await self._get(run_id)
        await self.ahead.end(run_id)
        self._told(run)
        # One that was to go on with its conversation had left it there.
        folders = folders_of(self._home, run)
        await anyio.to_thread.run_sync(remove_folders, folders)
        self._announce(run_id)

    async def wait(self, run_id: str) -> Run:
        """Return the run once it has ended. Raises RunNotFound."""
        while True:
            changed = self._changed.setdefault(run_id, anyio.Event())
            run = await self._get(run_id)
            if run.status.final:
                break
            await changed.wait()
        if run_id not in self._live:
            self._changed.pop(run_id, None)
        return run

    def forget_folder(self, owner: str) -> None:
        """Remove the work folder of a job or webhook that was deleted, soon."""
        self.ahead.forget(owner)
        self._tidying.forget_folder(owner)

    async def drain(self, timeout_s: float) -> None:
        """Claim nothing more; let live runs end, and interrupt those that have not by then."""
        self._accepting = False
        self.ahead.retire()
        with anyio.move_on_after(timeout_s):
            await self._until_idle()
        for live in self._live.values():
            live.stop(Stop(RunStatus.INTERRUPTED, SHUT_DOWN))
        with anyio.move_on_after(STOP_S):
            await self._until_idle()

    async def _until_idle(self) -> None:
        while self._live:
            await next(iter(self._live.values())).ended.wait()

    async def _claim_forever(self) -> None:
        await self._begin()
        if self._config.api_key is not None:
            await self.ahead.load()
        while True:
            self._wake = anyio.Event()
            try:
                while self._takes_runs and await self._claim_one():
                    pass
                self._follow_last()
                # Afterwards, for what has expired is not claimed, and what can start waits for us.
                await self._expire()
                look_at = await self._store.runs.next_change_at(self._clock.now_ms())
            except StoreError as error:
                log.error("No run can be claimed: %s", error)
                await anyio.sleep(STORE_PAUSE_S)
            else:
                await wait_until(self._clock, look_at, self._wake)

    @property
    def _takes_runs(self) -> bool:
        return self._accepting and not self.resting

    def _follow_last(self) -> None:
        """Have a CLI wait for a run like the last one, if nothing else is to be done now."""
        if self._last and self._accepting and not self._live:
            last, self._last = self._last, None
            try:
                self.ahead.follow(last)
            except Exception:
                # Runs are claimed all the same.
                log.exception("No CLI can wait for a run like %s", last.id)

    async def _expire(self) -> None:
        for run_id in await self._queue.expire(self._clock.now_ms()):
            log.warning("Run %s ended in the queue", run_id)
            try:
                await self._leave_nothing(run_id)
            except RunNotFound:
                log.info("Run %s was deleted meanwhile, with its job", run_id)

    async def _claim_one(self) -> bool:
        """Start the next queued run; False when none may start now."""
        async with self._claiming:
            others = [live.claimed for live in self._live.values()]
            claimed = await self._queue.claim(others, self._clock.now_ms())
            if claimed is None:
                return False
            run = claimed.run
            live = LiveRun(claimed, folders_of(self._home, run).work.name)
            self._live[run.id] = live
        self.ahead.make_way(run)
        self.feeds.mark(run.id)
        self._tasks.start_soon(self._carry_out, run, live)
        return True

    async def _carry_out(self, run: Run, live: LiveRun) -> None:
        try:
            with about(run=run.id), self.feeds.of(run.id) as feed:
                ended = await self._execute(run, live, feed)
                live.over = True
                # One that waits for this run still does if there was no attempt.
                await self.ahead.end(run.id)
                await self._endings.write(run, ended)
                feed.end_attempt()
                if ended.result.status is RunStatus.SUCCEEDED:
                    self._last = run
        finally:
            del self._live[run.id]
            live.ended.set()
            self._announce(run.id)
            if live.work == run.id:
                self._tidying.soon()
            self._wake.set()

    async def _execute(self, run: Run, live: LiveRun, feed: Feed) -> Ended:
        try:
            with live.preparation:
                agent = await self.ahead.load()
                async with agent.attempt(run, feed) as attempt:
                    live.begin(attempt)
                    return await attempt.execute()
            return live.stopped_early()
        except (RunRefused, SandboxError, SupervisorError) as error:
            return Ended(RunResult(RunStatus.FAILED, error=str(error)))
        except Exception:
            log.exception("Run %s failed inside the gateway", run.id)
            sentence = "The run failed inside the gateway; its log has the details."
            return Ended(RunResult(RunStatus.FAILED, error=sentence))

    async def _get(self, run_id: str) -> Run:
        run = await self._store.runs.get(run_id)
        if run is None:
            self._changed.pop(run_id, None)
            raise RunNotFound(run_id)
        return run

    def _announce(self, run_id: str) -> None:
        """Wake whoever waits for the end of this run, or reads it."""
        self.feeds.mark(run_id)
        if changed := self._changed.pop(run_id, None):
            changed.set()
