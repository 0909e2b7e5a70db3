"""One attempt at a run: the CLI from its start, over its conversation, to its last process."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
from anyio import to_thread
from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ClaudeSDKError,
    Message,
    ProcessError,
    StreamEvent,
    SystemMessage,
)

from gateway.domain.budget import Limit
from gateway.domain.live import Spent
from gateway.domain.run import Run, RunStatus
from gateway.domain.run_record import RunRecord
from gateway.forwarder import Account
from gateway.jobs.access import Access
from gateway.jobs.appetite import until_too_much
from gateway.jobs.feed import Feed
from gateway.jobs.folders import RunFolders
from gateway.jobs.outcome import Ended, Stop, conclude
from gateway.jobs.process import ProcessGroup, end_group, read_group
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
from sandboxes.network.traffic import Traffic
from sandboxes.policy import Limits

CONNECT_S = 35.0
"""The CLI gives up on a server after 30 s (CONNECT_TIMEOUT_MS in options.py) and says so."""
CONNECT_POLL_S = 0.01
"""The CLI answers what it knows of its servers but does not announce a change."""
INTERRUPT_S = 5.0
"""From an interrupt to the result with the cost; measured 0.1 s, so later means it is stuck."""
SAVE_EVERY_S = 0.25
"""Messages come in bursts; one write for each burst is enough for a reader."""
STDERR_LINES = 20
RESUMED = (
    "You were interrupted: the program that runs you was restarted. Go on with your task where you"
    " stopped. What you had begun may have been done or not; look before you repeat it."
)


class Attempt:
    """Executes one claimed run. `stop` may be called at any time, from any task."""

    def __init__(
        self,
        run: Run,
        access: Access,
        folders: RunFolders,
        account: Account,
        traffic: Traffic,
        *,
        limits: Limits,
        options: Callable[[Callable[[str], None]], ClaudeAgentOptions],
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
        self._access = access
        self._folders = folders
        self._account = account
        self._traffic = traffic
        self._limits = limits
        self._runs = runs
        self._records = records
        self._recorder = recorder
        self._shelf = shelf
        self._record: RunRecord | None = None
        self._feed = feed
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._client = ClaudeSDKClient(options(self._stderr.append))
        self._transcript = Transcript(run.id, now_ms, hide, first=first_message)
        self._reports: tuple[ServerReport, ...] = ()
        account.hold()
        self._arrived = anyio.Event()
        self._conversation = anyio.CancelScope()
        self._talking = False
        self._group: ProcessGroup | None = None
        self._started = anyio.Event()
        self._stop: Stop | None = None
        self.is_resumed = False
        """The conversation goes on in another attempt, so its folder stays."""
        self._stop_asked = anyio.Event()

    def stop(self, stop: Stop) -> None:
        """Ask the attempt to end; the first reason given counts."""
        self._stop = self._stop or stop
        self._stop_asked.set()

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
                refused_hosts=self._traffic.refused_hosts,
            )
        )
        worked_s = anyio.current_time() - began_s
        result = replace(result, worked_ms=round(worked_s * 1000))
        self.is_resumed = is_resumed(self._run, result)
        failed = result.status is RunStatus.FAILED and self._stop is None
        unreached = failed and self._account.unreached and not self._transcript.called_tools
        run = self._run
        # Stored before the private folder goes, which tells when the attempt began.
        files = await self._shelf.take(run.id, run.attempt, self._folders.work, beginning)
        return Ended(result, unreached, files and await self._shelf.try_put(files))

    async def _converse(self) -> str | None:
        """Return the sentence of what went wrong, or None when the CLI's result says it."""
        try:
            await self._client.connect()
            self._find_process()
            problem = await self._check_servers()
            return problem or await self._talk()
        except ClaudeSDKError as error:
            return self._sentence(error)
        finally:
            with anyio.CancelScope(shield=True):
                await self._end()

    def _find_process(self) -> None:
        self._group = read_group(self._folders.group_file)
        if self._group:
            self._started.set()

    async def _note_process(self) -> None:
        """Write the processes down, beside the conversation that begins."""
        await self._started.wait()
        assert self._group is not None
        await self._runs.set_process(
            self._run.id, self._run.attempt, self._group.number, self._group.started_at
        )

    async def _check_servers(self) -> str | None:
        """Wait for the servers; return what is missing. The model has not been asked yet."""
        if not self._access.servers:
            return None
        with anyio.move_on_after(CONNECT_S):
            while True:
                self._reports = await self._server_reports()
                if self._reports and not _undecided(self._reports):
                    break
                await anyio.sleep(CONNECT_POLL_S)
        self._folders.servers_file.unlink()
        return problem_with_servers(self._access, self._reports)

    async def _server_reports(self) -> tuple[ServerReport, ...]:
        status = await self._client.get_mcp_status()
        return tuple(
            ServerReport(
                name=server["name"],
                status=server["status"],
                tools=tuple(tool["name"] for tool in server.get("tools", [])),
                error=server.get("error", ""),
            )
            for server in status["mcpServers"]
        )

    async def _talk(self) -> str | None:
        """Send the prompt and take the answers; return what the CLI's first message lacks."""
        self._talking = True
        if self._stop:
            return None
        await self._client.query(RESUMED if self._run.session_id else self._run.prompt)
        started = False
        async for message in self._client.receive_response():
            self._take(message)
            if not started and isinstance(message, SystemMessage) and message.subtype == "init":
                first = FirstMessage.read(message.data)
                if problem := problem_with_tools(self._access, self._reports, first):
                    return problem
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
                await self._client.interrupt()
                await anyio.sleep_forever()
        elif group := read_group(self._folders.group_file):
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
        await self._started.wait()
        assert self._group is not None
        folders = (self._folders.work, self._folders.home, self._folders.temporary)
        reason = await until_too_much(self._group.number, self._limits, folders)
        self.stop(Stop(RunStatus.FAILED, f"Stopped: {reason}."))
        # No interrupt first: the machine may be out of memory by then.
        await end_group(self._group)

    async def _save_messages(self) -> None:
        while True:
            await self._arrived.wait()
            await anyio.sleep(SAVE_EVERY_S)
            self._arrived = anyio.Event()
            await self._save()

    async def _save(self) -> None:
        """Store what came, then tell it."""
        messages = self._transcript.take_unsaved()
        await self._runs.append_messages(messages)
        self._feed.publish(messages)
        await self._records.add_calls(self._recorder.take_ended())

    async def _end(self) -> None:
        """Leave no process: an idle CLI ends at once by itself, any other is killed first."""
        group = self._group or read_group(self._folders.group_file)
        if group and self._transcript.result is None:
            await end_group(group)
        await self._client.disconnect()
        if group:
            await end_group(group)

    def _sentence(self, error: ClaudeSDKError) -> str:
        code = error.exit_code if isinstance(error, ProcessError) else None
        last_words = self._stderr[-1] if self._stderr else str(error).partition("\n")[0]
        ended = "could not be used" if code is None else f"ended with exit code {code}"
        return f"The Claude CLI {ended}: {last_words.rstrip('.')}."


def _pass_on(event: Mapping[str, Any], feed: Feed) -> None:
    """Tell what an event of the Messages API brings of a text."""
    match event:
        case {"type": "content_block_start", "content_block": {"type": "text"}}:
            feed.begin_text()
        case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(text)}}:
            feed.write(text)
        case _:
            pass


def _undecided(reports: tuple[ServerReport, ...]) -> bool:
    """Tell whether waiting can still help: a server is pending and none has failed."""
    statuses = {report.status for report in reports}
    return statuses <= {"pending", "connected"} and "pending" in statuses
