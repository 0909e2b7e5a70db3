"""One call of a tool by the owner, from its page: never retried, audited as the owner's.

A call that takes longer than a browser waits goes on under a handle, as `invoke`'s do.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import anyio
import anyio.to_thread
from werkzeug.exceptions import ServiceUnavailable

from gateway.audit import Trail
from gateway.audit.deeds import invoked
from gateway.audit.outcomes import outcome_of
from gateway.audit.requests import leave_own_entry
from gateway.calls.calls import Calls, LongCall, NoSuchCall
from gateway.calls.kept_results import Excerpts, KeptResults, Page
from gateway.domain.audit import Actor, Outcome
from gateway.domain.clock import utc_ms
from gateway.server_pages.answers import Answer, parts_of, whole_text
from gateway.server_pages.desk import REFUSALS
from gateway.tool_names import ToolName
from supervisor.children.call import Notice
from supervisor.children.wire import encode
from supervisor.errors import ChildDied, StartFailed
from supervisor.supervisor import Supervisor
from supervisor.tenant import caller_tenant

log = logging.getLogger(__name__)

MAX_AT_ONCE = 16
"""Calls from pages, in the whole gateway."""
ACTION = "call a tool"
OWNER = "page:owner"
"""Of the calls: the dashboard has one owner, whichever browser is his."""
PAGE_BYTES = 64 * 1024
"""Of a text that is read a page at a time."""
LONGEST_WAIT_S = 50.0
"""Of a request, for an answer: Quart, proxies and browsers give up after a minute."""
CANCEL_S = 5.0
"""A cancelled call ends here at once; the bound is for what a busy machine takes."""
ASKS = "It asks for input first, which this page cannot give; call it from an MCP client."


class Trying:
    """Calls tools for their pages."""

    def __init__(
        self,
        supervisor: Supervisor,
        calls: Calls,
        results: KeptResults,
        trail: Trail,
        *,
        wait_s: float,
    ) -> None:
        """`wait_s`: how long a request waits for an answer."""
        self._supervisor = supervisor
        self._calls = calls
        self._results = results
        self._trail = trail
        self._wait_s = wait_s
        self._room = anyio.CapacityLimiter(MAX_AT_ONCE)

    async def call(
        self, server: str, tool: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> LongCall[Answer]:
        """Begin a call and return it when it has ended, or after `wait_s`.

        Raises ServiceUnavailable: nothing was sent.
        """
        if not self._room.available_tokens:
            raise ServiceUnavailable("Too many calls from this dashboard are under way; wait.")
        who = leave_own_entry()

        async def ask(note: Callable[[Notice], None]) -> Answer:
            async with self._room:
                return await self._call(server, tool, arguments, who, note)

        # MAX_AT_ONCE is far below what one owner may have.
        call = self._calls.start(OWNER, ToolName(server, str(tool["name"])).canonical, ask)
        self._calls.hand_over(call)
        await call.wait(self._wait_s)
        return call

    def find(self, handle: str) -> LongCall[Answer] | None:
        """Return a call that was begun here; None when it is gone or never was."""
        try:
            return self._calls.find(OWNER, handle)
        except NoSuchCall:
            return None

    def under_way(self, server: str, tool: str) -> tuple[LongCall[Answer], ...]:
        """Return the calls of a tool that go on."""
        return self._calls.under_way(OWNER, ToolName(server, tool).canonical)

    async def read(self, handle: str, offset: int) -> Page:
        """Return a page of a text that was too long to be shown. Raises NoSuchResult."""
        return await self._results.read(OWNER, handle, offset=offset, length=PAGE_BYTES)

    async def search(self, handle: str, text: str, offset: int) -> Excerpts:
        """Return the places of such a text that hold another. Raises NoSuchResult."""
        return await self._results.search(OWNER, handle, text=text, offset=offset)

    async def cancel(self, call: LongCall[Answer]) -> None:
        """End a call; what it did until then is not undone."""
        if call.ended_at is None:
            self._calls.cancel(call, "it was cancelled on its page")
            await call.wait(CANCEL_S)

    async def _call(
        self,
        server: str,
        tool: Mapping[str, Any],
        arguments: Mapping[str, Any],
        who: tuple[Actor, str],
        note: Callable[[Notice], None],
    ) -> Answer:
        began, outcome, result = perf_counter(), Outcome.FAILED, dict[str, Any]()
        error: Exception | None = None
        try:
            result = await self._supervisor.request(
                server,
                "tools/call",
                {"name": tool["name"], "arguments": arguments},
                on_progress=note,
                tenant=caller_tenant(*who) if who[1] else None,
            )
            outcome = Outcome.TOOL_ERROR if result.get("isError") else Outcome.OK
        except REFUSALS as refused:
            error, outcome = refused, outcome_of(refused)
        except anyio.get_cancelled_exc_class():
            outcome = Outcome.CANCELLED
            raise
        finally:
            entry = invoked(
                at=utc_ms(),
                who=who,
                action=ACTION,
                server=server,
                tool=tool,
                arguments=arguments,
                asked_bytes=len(encode(arguments)),
                answered_bytes=len(encode(result)) if result else 0,
                outcome=outcome,
                took_s=perf_counter() - began,
            )
            self._trail.note(lambda: entry)
        took_ms = (perf_counter() - began) * 1000
        rest = await self._keep(whole_text(result))
        answer = _answer(str(tool["name"]), arguments, took_ms, error, result)
        return replace(answer, rest=rest)

    async def _keep(self, text: str) -> str:
        """Keep a text that is too long to be shown at once; return its handle, '' for none."""
        if not text:
            return ""
        content = text.encode("utf-8", "replace")
        hidden = await anyio.to_thread.run_sync(self._supervisor.redactor.hide, content)
        try:
            return await self._results.keep(OWNER, hidden)
        except OSError as error:
            log.warning("An answer that is too long for a page could not be kept: %s", error)
            return ""


def _answer(
    tool: str,
    arguments: Mapping[str, Any],
    took_ms: float,
    error: Exception | None,
    result: Mapping[str, Any],
) -> Answer:
    given = json.dumps(arguments, indent=2, ensure_ascii=False)
    if error is not None:
        tail = error.stderr_tail if isinstance(error, ChildDied | StartFailed) else ()
        return Answer(tool, given, took_ms, "no answer", "bad", sentence=str(error), lines=tail)
    if result.get("resultType", "complete") != "complete":
        return Answer(tool, given, took_ms, "not finished", "busy", sentence=ASKS)
    failed = bool(result.get("isError"))
    word, tone = ("the tool failed", "bad") if failed else ("answered", "good")
    return Answer(tool, given, took_ms, word, tone, parts_of(result))
