"""Every call of a management tool leaves an entry in the audit log."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import anyio
import mcp_types
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from mcp_types import TextContent

from gateway.audit import Trail
from gateway.audit.deeds import UNKNOWN_TOOL, actor_of, invoked, managed
from gateway.auth.caller import Caller
from gateway.domain.audit import AuditEntry, Outcome
from gateway.domain.clock import utc_ms
from gateway.tool_names import ToolName
from gateway.tools.scopes import calling
from gateway.tools.sentences import INTERNAL_ERROR, Refused
from supervisor.children.wire import encode

INVOKE = "invoke_internal_mcp_tool"


@dataclass(slots=True)
class _Marks:
    """What is known of the call of a management tool that is under way."""

    passed_on: bool = False


_MARKS: ContextVar[_Marks] = ContextVar("marks")


def pass_on() -> None:
    """Say that a call of a server's tool begins in this call, which leaves the entry of both."""
    _MARKS.get().passed_on = True


class Audited(Middleware):
    """The outermost layer: what the inner ones refuse leaves an entry too."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    async def on_call_tool(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Call the tool; note how it went."""
        names, message = await _argument_names(context), context.message
        began, outcome, answer = perf_counter(), Outcome.FAILED, None
        marks = _Marks()
        reset = _MARKS.set(marks)
        try:
            answer = await call_next(context)
            outcome = Outcome.TOOL_ERROR if answer.is_error else Outcome.OK
            return answer
        except Refused as refused:
            outcome = Outcome.FAILED if str(refused) == INTERNAL_ERROR else Outcome.REFUSED
            raise
        except anyio.get_cancelled_exc_class():
            outcome = Outcome.CANCELLED
            raise
        finally:
            _MARKS.reset(reset)
            if not marks.passed_on:
                took_s, arguments = perf_counter() - began, message.arguments or {}
                end = _Managed(
                    utc_ms(), calling(), message.name, names, arguments, answer, outcome, took_s
                )
                self._trail.note(end.entry)


async def _argument_names(
    context: MiddlewareContext[mcp_types.CallToolRequestParams],
) -> frozenset[str] | None:
    """Return what the tool takes; None when there is no such tool."""
    assert context.fastmcp_context is not None
    tool = await context.fastmcp_context.fastmcp.get_tool(context.message.name)
    return None if tool is None else frozenset(tool.parameters.get("properties", {}))


@dataclass(frozen=True, slots=True)
class _Managed:
    """A call of a management tool that has ended."""

    at: int
    caller: Caller | None
    tool: str
    names: frozenset[str] | None
    """Of its arguments; None when there is no such tool."""
    arguments: Mapping[str, Any]
    answer: ToolResult | None
    outcome: Outcome
    took_s: float

    def entry(self) -> AuditEntry:
        """Return what the audit log keeps of it."""
        return managed(
            at=self.at,
            caller=self.caller,
            tool=UNKNOWN_TOOL if self.names is None else self.tool,
            names=self.names or frozenset(),
            arguments=self.arguments,
            asked_bytes=len(encode(self.arguments)),
            answered_bytes=0 if self.answer is None else size_of(self.answer),
            outcome=self.outcome,
            took_s=self.took_s,
        )


@dataclass(frozen=True, slots=True)
class Invoked:
    """A call of a server's tool through `invoke_internal_mcp_tool` that has ended."""

    at: int
    caller: Caller | None
    name: ToolName
    tool: Mapping[str, Any]
    arguments: Mapping[str, Any]
    answer: ToolResult | None
    outcome: Outcome
    took_s: float

    def entry(self) -> AuditEntry:
        """Return what the audit log keeps of it."""
        return invoked(
            at=self.at,
            who=actor_of(self.caller),
            action=INVOKE,
            server=self.name.server,
            tool=self.tool,
            arguments=self.arguments,
            asked_bytes=len(encode(self.arguments)),
            answered_bytes=0 if self.answer is None else size_of(self.answer),
            outcome=self.outcome,
            took_s=self.took_s,
        )


def size_of(answer: ToolResult) -> int:
    """Return about how many bytes a tool answered with."""
    texts = (block.text for block in answer.content if isinstance(block, TextContent))
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return size or len(encode(answer.structured_content or {}))
