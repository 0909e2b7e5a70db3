"""One attempt at a run: the CLI from its start, over its conversation, to its last process."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
from anyio import to_thread
from claude_agent_sdk import ClaudeSDKError, Message, StreamEvent, SystemMessage

from gateway.domain.budget import Limit
from gateway.domain.live import Spent
from gateway.domain.run import Run, RunStatus
from gateway.domain.run_record import RunRecord
from gateway.jobs.appetite import until_too_much
from gateway.jobs.feed import Feed
from gateway.jobs.outcome import Ended, Stop, conclude
from gateway.jobs.places import Place
from gateway.jobs.process import end_group
from gateway.jobs.proof import (
    FirstMessage,
    ServerReport,
    problem_with_servers,
    problem_with_tools,
)
from gateway.jobs.recorder import Recorder
from gateway.jobs.repeating import is_resumed, time_left_s
from gateway.jobs.transcript import Transcript
from gateway.run_files.shelf import Shelf, mark_beginning
from gateway.store import RunRecordTable, RunTable
from sandboxes.policy import Limits

INTERRUPT_S = 5.0
"""From an interrupt to the result with the cost; measured 0.1 s, so later means it is stuck."""
SAVE_EVERY_S = 0.25
"""Messages come in bursts; one write for each burst is enough for a reader."""
RESUMED = (
    "You were interrupted: the program that runs you was restarted. Go on with your task where you"
    " stopped. What you had begun may have been done or not; look before you repeat it."
)


class Attempt:
    """Executes one claimed run. `stop` may be called at any time, from any task."""

    def __init__(
        self,
        run: Run,
        place: Place,
        *,
        limits: Limits,
        runs: RunTable,
        records: RunRecordTable,
        recorder: Recorder,
        shelf: Shelf,
        feed: Feed,
        now_ms: Callable[[], int],
        hide: Callable[[Any], Any],
        first_message: int = 0,
    ) -> None:
        self._run = run
        self._place = place
        self._access = place.setup.access
        self._folders = place.folders
        self._account = place.account
        self._cli = place.cli
        self._limits = limits
        self._runs = runs
        self._records = records
        self._recorder = recorder
        self._shelf = shelf
        self._record: RunRecord | None = None
        self._feed = feed
        self._transcript = Transcript(run.id, now_ms, hide, first=first_message)
        self._reports: tuple[ServerReport, ...] = ()
        self._arrived = anyio.Event()
        self._conversation = anyio.CancelScope()
        self._talking = False
        self._stop: Stop | None = None
        self._stop_asked = anyio.Event()

    def stop(self, stop: Stop) -> None:
        """Ask the attempt to end; the first reason given counts."""
        self._stop = self._stop or stop
        self._stop_asked.set()

    async def cut(self) -> None:
        """End the processes; whoever calls this has said why by `stop`."""
        if group := self._cli.find_group():
            await end_group(group)

    async def execute(self) -> Ended:
        """Run to the end and return how it went; no process is left then."""
        failure: str | None = None
        began_s = anyio.current_time()
        beginning = mark_beginning(self._folders.began_file)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._save_messages)
            tasks.start_soon(self._obey_stop)
            tasks.start_soon(self._watch_time)
            tasks.start_soon(self._watch_money)
            tasks.start_soon(self._watch_appetite)
            tasks.start_soon(self._note_process)
            with self._conversation:
                failure = await self._converse()
            tasks.cancel_scope.cancel()
        if self._record:
            await self._records.end(self._recorder.end(self._record))
        await self._save()
        # In a thread, for a schema can take its time.
        result = await to_thread.run_sync(
            partial(
                conclude,
                self._run,
                self._transcript,
                stop=self._stop,
                failure=failure,
                counted_micro_usd=self._account.cost_micro_usd,
                refused_hosts=self._place.traffic.refused_hosts,
            )
        )
        worked_s = anyio.current_time() - began_s
        result = replace(result, worked_ms=round(worked_s * 1000))
        self._place.is_resumed = is_resumed(self._run, result)
        failed = result.status is RunStatus.FAILED and self._stop is None
        unreached = failed and self._account.unreached and not self._transcript.called_tools
        run = self._run
        # Stored before the private folder goes, which tells when the attempt began.
        files = await self._shelf.take(run.id, run.attempt, self._folders.work, beginning)
        return Ended(result, unreached, files and await self._shelf.try_put(files))

    async def _converse(self) -> str | None:
        """Return the sentence of what went wrong, or None when the CLI's result says it."""
        try:
            await self._cli.start()
            if self._stop:
                return None
            # What it makes of the prompt takes as long as its way to the servers. It asks the model
            # when it has them, and what it asks waits until we have seen that it does (`admit`).
            await self._cli.client.query(RESUMED if self._run.session_id else self._run.prompt)
            problem = await self._check_servers()
            return problem or await self._talk()
        except ClaudeSDKError as error:
            return self._cli.sentence(error)
        finally:
            with anyio.CancelScope(shield=True):
                await self._cli.end(idle=self._transcript.result is not None)

    async def _note_process(self) -> None:
        """Write the processes down, beside the conversation that begins."""
        await self._cli.started.wait()
        group = self._cli.group
        assert group is not None
        await self._runs.set_process(
            self._run.id, self._run.attempt, group.number, group.started_at
        )

    async def _check_servers(self) -> str | None:
        """Wait for the servers; return what is missing. The model has not been asked yet."""
        if not self._access.servers:
            return None
        self._reports = await self._cli.reach_servers()
        return problem_with_servers(self._access, self._reports)

    async def _talk(self) -> str | None:
        """Take the answers to the prompt; return what the CLI's first message lacks."""
        started = False
        async for message in self._cli.client.receive_response():
            self._take(message)
            if not started and isinstance(message, SystemMessage) and message.subtype == "init":
                first = FirstMessage.read(message.data)
                if problem := problem_with_tools(self._access, self._reports, first):
                    return problem
                self._talking = True
                self._account.admit()
                self._record = self._recorder.begin(first)
                await self._records.begin(self._record)
                started = await self._runs.mark_running(
                    self._run.id, self._run.attempt, self._transcript.session_id
                )
                self._feed.mark()
        return None

    def _take(self, message: Message) -> None:
        """Keep a message; a piece of one is only told, for it comes again."""
        if isinstance(message, StreamEvent):
            if message.parent_tool_use_id is None:
                _pass_on(message.event, self._feed)
            return
        if isinstance(message, SystemMessage) and message.subtype == "status":
            return  # that it asks the API, which comes with partial messages
        self._feed.expect(self._transcript.add(message))
        self._recorder.take(message)
        used = self._account
        self._feed.use(Spent(used.input_tokens, used.output_tokens, used.cost_micro_usd or 0))
        self._arrived.set()

    async def _obey_stop(self) -> None:
        """Interrupt first, for the CLI then still reports the cost; cut it off if it is late."""
        await self._stop_asked.wait()
        if self._talking:
            # The CLI may die before it has answered; then there is nothing to wait for.
            with anyio.move_on_after(INTERRUPT_S), suppress(ClaudeSDKError):
                await self._cli.client.interrupt()
                await anyio.sleep_forever()
        elif group := self._cli.find_group():
            await end_group(group)
        self._conversation.cancel()

    async def _watch_time(self) -> None:
        await anyio.sleep(time_left_s(self._run))
        limit = f"{self._run.timeout_s:g}"
        sentence = f"Stopped after its time limit of {limit} s."
        self.stop(Stop(RunStatus.TIMED_OUT, sentence, Limit.RUN_TIME))

    async def _watch_money(self) -> None:
        await self._account.exhausted.wait()
        reached = self._account.reached
        assert reached is not None, "it is set before the event"
        self.stop(Stop(RunStatus.BUDGET, reached.sentence, reached.limit))

    async def _watch_appetite(self) -> None:
        await self._cli.started.wait()
        group = self._cli.group
        assert group is not None
        folders = (self._folders.work, self._folders.home, self._folders.temporary)
        reason = await until_too_much(group.number, self._limits, folders)
        self.stop(Stop(RunStatus.FAILED, f"Stopped: {reason}."))
        # No interrupt first: the machine may be out of memory by then.
        await end_group(group)

    async def _save_messages(self) -> None:
        while True:
            await self._arrived.wait()
            await anyio.sleep(SAVE_EVERY_S)
            self._arrived = anyio.Event()
            await self._save()

    async def _save(self) -> None:
        """Store what came, then tell it."""
        messages = self._transcript.take_unsaved()
        await self._runs.append_messages(messages, self._run.attempt)
        self._feed.publish(messages)
        await self._records.add_calls(self._recorder.take_ended())


def _pass_on(event: Mapping[str, Any], feed: Feed) -> None:
    """Tell what an event of the Messages API brings of a text."""
    match event:
        case {"type": "content_block_start", "content_block": {"type": "text"}}:
            feed.begin_text()
        case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(text)}}:
            feed.write(text)
        case _:
            pass
