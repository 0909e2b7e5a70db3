"""What is stored when an attempt at a run is over: its end, or that it waits for another one.

Also accounts for the runs of an earlier gateway that could not do it.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from gateway.domain.job import Job, OnInterrupt
from gateway.domain.run import Run, RunResult, RunStatus
from gateway.jobs.chain import chained_run, follower_id
from gateway.jobs.clock import Clock
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.folders import (
    RunFolders,
    folders_of,
    keep_conversation,
    remove_folders,
)
from gateway.jobs.leftovers import clear_standbys
from gateway.jobs.outcome import Ended
from gateway.jobs.process import ProcessGroup, end_leftover
from gateway.jobs.repeating import is_resumed, pause_s, with_earlier
from gateway.notify.wording import RunEnd
from gateway.run_files.shelf import Beginning, Shelf
from gateway.store import LostRun, Store, StoreError, UnknownJob
from supervisor.redaction import Redactor

log = logging.getLogger(__name__)

FINISH_S = 60.0
"""A database that stays away longer leaves the run to be marked at the next start."""
STORE_PAUSE_S = 2.0
STRANDED = "The run was to go on with a conversation that lies on a node that was lost."
INTERRUPTED = "The gateway ended before the run did."


class Endings:
    """Writes down how attempts ended; what an attempt that was given up writes changes nothing."""

    def __init__(
        self,
        store: Store,
        home: Path,
        clock: Clock,
        redactor: Redactor,
        days: DayBudgets,
        shelf: Shelf,
        *,
        notify_after: int,
        told: Callable[[Run], None],
    ) -> None:
        """`notify_after`: so many failures of a job or webhook in a row are told; 0: none.

        `told` is told of each run as it ended.
        """
        self._store = store
        self._home = home
        self._clock = clock
        self._redactor = redactor
        self._notify_after = notify_after
        self._told = told
        self._days = days
        self._shelf = shelf

    async def write(self, run: Run, ended: Ended) -> None:
        """Store the end of an attempt, again and again while the database does not answer."""
        with anyio.move_on_after(FINISH_S):
            while True:
                try:
                    await self._write(run, ended)
                except StoreError as error:
                    log.error("The end of run %s is not stored yet: %s", run.id, error)
                    await anyio.sleep(STORE_PAUSE_S)
                else:
                    return

    async def account_for_earlier(self, node: str | None) -> None:
        """End what runs of a killed gateway left, then mark, or have repeated, each of them.

        `node`: this gateway among those that share the store, whose runs are left alone.
        """
        for run in await self._store.node_runs.claimed_by(node):
            log.warning("Run %s was interrupted by the end of the last gateway", run.id)
            await self.account_for(run)
        await clear_standbys(self._home)

    async def account_for(self, run: Run) -> None:
        """End what a run left that nobody executes any more; mark it, or have it repeated."""
        result = RunResult(
            RunStatus.INTERRUPTED,
            error=INTERRUPTED,
            session_id=run.session_id,
            worked_ms=await self._known_work_ms(run),
        )
        await self._clear_away(run, result)
        await self._write(run, Ended(result))

    async def take_over(self, lost: LostRun) -> None:
        """Mark, or have repeated, a run whose node is gone; nothing if another one has done it."""
        run = lost.run
        log.warning("Run %s was interrupted by the loss of node %s", run.id, run.node)
        if run.session_id is not None and run.on_interrupt is OnInterrupt.RESUME:
            # What it said lies in files of that node, and begun anew it would do things twice.
            run = replace(run, on_interrupt=OnInterrupt.MARK)
        error = lost.stop_asked or f"Node {run.node} was lost before the run ended."
        status = RunStatus.INTERRUPTED if lost.stop_asked is None else RunStatus.CANCELLED
        worked_ms = await self._known_work_ms(run)
        await self._write(run, Ended(RunResult(status, error=error, worked_ms=worked_ms)))

    async def strand(self, run: Run) -> None:
        """End a run that waits for a node that is gone; nothing if another one has done it."""
        log.warning("Run %s cannot go on: node %s was lost", run.id, run.node)
        result = with_earlier(run, RunResult(RunStatus.INTERRUPTED, error=STRANDED))
        await self._finish(run, result, self._clock.now_ms(), waiting=True)

    async def _known_work_ms(self, run: Run) -> int:
        """Return how long an attempt of a killed gateway was at work, up to its last message."""
        last = await self._store.runs.last_message_at(run.id)
        return max(0, (last or 0) - (run.started_at or 0))

    async def _write(self, run: Run, ended: Ended) -> None:
        if ended.files is not None:
            await self._shelf.put(ended.files)
        result = with_earlier(run, self._shown(ended.result))
        now = self._clock.now_ms()
        pause = pause_s(run, ended)
        if pause is None:
            await self._finish(run, result, now)
            return
        session_id = result.session_id if is_resumed(run, ended.result) else None
        waiting = replace(result, session_id=session_id)
        not_before = now + int(pause * 1000)
        if await self._store.runs.requeue(run.id, run.attempt, waiting, not_before=not_before):
            log.warning("Run %s begins again in %d s: %s", run.id, pause, result.error)
        elif reason := await self._store.node_runs.why_to_stop(run.id):
            await self._finish(run, replace(result, status=RunStatus.CANCELLED, error=reason), now)
            # The attempt left its conversation for the next one.
            await anyio.to_thread.run_sync(remove_folders, folders_of(self._home, run))

    async def _finish(
        self, run: Run, result: RunResult, now: int, *, waiting: bool = False
    ) -> None:
        job = await self._store.jobs.get(run.job_id) if run.job_id else None
        then = await self._following(job, run, result, now) if job else None
        webhook = await self._store.webhooks.get(run.webhook_id) if run.webhook_id else None
        of = job or webhook
        end = RunEnd(of, run, result, now, self._notify_after) if of else None
        tell = end and end.notice
        finish = partial(
            self._store.runs.finish, run.id, run.attempt, result, now, tell=tell, waiting=waiting
        )
        try:
            stored = await finish(then=then)
        except UnknownJob:
            # Deleted this moment; nothing leads to it any more.
            stored = await finish()
        log.info("Run %s ended as %s", run.id, result.status)
        if stored:
            kept = {field.name: getattr(result, field.name) for field in fields(result)}
            self._told(replace(run, **kept, finished_at=now))
        await self._days.note_end(run, result.limit_reached)

    async def _following(self, job: Job, run: Run, result: RunResult, now: int) -> Run | None:
        """Return the run that this one's end starts, if it starts one."""
        next_id = follower_id(job, run, result.status)
        follower = await self._store.jobs.get(next_id) if next_id else None
        return chained_run(follower, job, run, result, now) if follower else None

    def _shown(self, result: RunResult) -> RunResult:
        output, error = (
            text and self._redactor.hide_text(text) for text in (result.output, result.error)
        )
        structured = result.structured
        if structured is not None:
            shown = self._redactor.hide_tree(json.loads(structured))
            structured = json.dumps(shown, ensure_ascii=False)
        return replace(result, output=output, structured=structured, error=error)

    async def _clear_away(self, run: Run, result: RunResult) -> None:
        """End the processes of a killed gateway's run and remove its private folder.

        What it left in its work folder is kept.
        """
        if run.process_group is not None and run.process_started_at is not None:
            group = ProcessGroup(run.process_group, run.process_started_at)
            if await end_leftover(group):
                log.warning("Ended the processes that run %s had left", run.id)
        folders = folders_of(self._home, run)
        await self._keep_files(run, folders)
        leave = keep_conversation if is_resumed(run, result) else remove_folders
        await anyio.to_thread.run_sync(leave, folders)

    async def _keep_files(self, run: Run, folders: RunFolders) -> None:
        # Copied again they might differ from their rows: later runs share the work folder.
        if await self._shelf.has(run.id, run.attempt):
            return
        beginning = Beginning(folders.began_file, None)
        files = await self._shelf.take(run.id, run.attempt, folders.work, beginning)
        if files is not None:
            # Before the folder goes that tells when the attempt began.
            await self._shelf.put(files)
