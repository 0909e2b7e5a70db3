"""One call of a tool by the owner, from its page: never retried, audited as the owner's."""

import json
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import anyio
from werkzeug.exceptions import ServiceUnavailable

from gateway.audit import Trail
from gateway.audit.deeds import invoked
from gateway.audit.outcomes import outcome_of
from gateway.audit.requests import leave_own_entry
from gateway.domain.audit import Outcome
from gateway.domain.clock import utc_ms
from gateway.server_pages.answers import Answer, parts_of
from gateway.server_pages.desk import REFUSALS
from supervisor.children.wire import encode
from supervisor.errors import ChildDied, StartFailed
from supervisor.supervisor import Supervisor
from supervisor.tenant import caller_tenant

MAX_AT_ONCE = 16
"""Calls from pages, in the whole gateway."""
ACTION = "call a tool"
TENANT = "page"
ASKS = "It asks for input first, which this page cannot give; call it from an MCP client."


class Trying:
    """Calls tools for their pages."""

    def __init__(self, supervisor: Supervisor, trail: Trail) -> None:
        self._supervisor = supervisor
        self._trail = trail
        self._room = anyio.CapacityLimiter(MAX_AT_ONCE)

    async def call(
        self, server: str, tool: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Answer:
        """Return what became of a call. Raises ServiceUnavailable: nothing was sent."""
        if not self._room.available_tokens:
            raise ServiceUnavailable("Too many calls from this dashboard are under way; wait.")
        async with self._room:
            return await self._call(server, tool, arguments)

    async def _call(
        self, server: str, tool: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Answer:
        who = leave_own_entry()
        began, outcome, result = perf_counter(), Outcome.FAILED, dict[str, Any]()
        error: Exception | None = None
        try:
            result = await self._supervisor.request(
                server,
                "tools/call",
                {"name": tool["name"], "arguments": arguments},
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
        return _answer(str(tool["name"]), arguments, took_ms, error, result)


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
