"""The tool that calls the tools of servers, so that a new one can be used in the same chat."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Annotated, Any

import anyio
from fastmcp.server.dependencies import get_context
from fastmcp.tools import ToolResult, tool
from mcp_types import CallToolResult
from pydantic import Field, ValidationError

from gateway.audit.outcomes import outcome_of
from gateway.calls.calls import Ask, LongCall
from gateway.calls.cutting import Cutter
from gateway.domain.audit import Outcome
from gateway.domain.clock import utc_ms
from gateway.json_schema import Checker, Unfollowable, checker_of
from gateway.relay.trace_context import TRACEPARENT, TraceContext
from gateway.tool_names import ToolName
from gateway.tools.audited import Invoked, pass_on
from gateway.tools.finding import Finder, ToolText
from gateway.tools.hints import OPEN
from gateway.tools.long_calls import still_running
from gateway.tools.mending import faults_in, mended, sentence_of_faults
from gateway.tools.payload import NotAnObject, read_payload
from gateway.tools.scopes import caller_id, calling
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from supervisor.children.call import Notice
from supervisor.children.wire import encode
from supervisor.tenant import caller_tenant

PROGRESS_EVERY_S = 1.0
"""How often progress is passed on, if there is any."""

ANY_OBJECT = b'{"type":"object"}'

Payload = Annotated[
    dict[str, Any] | str,
    Field(
        description="The tool's arguments as an object; the text of one JSON object is read as it."
    ),
]


class InvokeTools:
    """invoke_internal_mcp_tool."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._finder = Finder(services)
        self._cutter = Cutter(
            services.results, services.settings.large_result_bytes, services.supervisor.redactor
        )

    @tool(title="Call a tool of a server", annotations=OPEN, output_schema=None)
    async def invoke_internal_mcp_tool(self, tool: ToolText, payload: Payload = {}) -> ToolResult:  # noqa: B006 - never changed
        """Call a tool of any server behind this gateway, also of one that was made just now.

        search_tools finds tools, describe_tool shows their arguments. A payload that does not fit
        is not sent: the answer says what was expected and shows one that fits. Otherwise the answer
        is the tool's own; a large one is cut, and read_result reads on. A call that takes long goes
        on under a handle for get_call. Nothing is ever called twice.
        """
        name, definition = await self._finder.find(tool)
        self._finder.check_runs(name.server)
        arguments = check_payload(name, payload, definition.get("inputSchema"))
        places = self._services.telemetry.places
        place = None if places is None else places.of_caller(calling())
        ask = self._ask(caller_id(), name, arguments, place)
        told = self._told(name, definition, arguments, ask, place)
        call = self._services.calls.start(caller_id(), name.canonical, told)
        pass_on()
        try:
            ended = await self._answered(call)
        except anyio.get_cancelled_exc_class():
            self._services.calls.cancel(call, "its caller went away")
            raise
        if ended:
            self._services.calls.drop(call)
            return call.answer()
        self._services.calls.hand_over(call)
        return still_running(call)

    def _ask(
        self, owner: str, name: ToolName, arguments: dict[str, Any], place: TraceContext | None
    ) -> Ask[ToolResult]:
        async def ask(note: Callable[[Notice], None]) -> ToolResult:
            params: dict[str, object] = {"name": name.tool, "arguments": arguments}
            if place is not None:
                params["_meta"] = {TRACEPARENT: place.header}
            tenant = caller_tenant(*owner.split(":", 1))
            result = await self._services.supervisor.request(
                name.server, "tools/call", params, on_progress=note, tenant=tenant
            )
            return await self._cutter.fitted(owner, read_result(name, result))

        return ask

    def _told(
        self,
        name: ToolName,
        tool: Mapping[str, Any],
        arguments: dict[str, Any],
        ask: Ask[ToolResult],
        place: TraceContext | None,
    ) -> Ask[ToolResult]:
        """Return a call that leaves an entry in the audit log, and a span, at its end."""
        caller, trail, telemetry = calling(), self._services.trail, self._services.telemetry

        async def told(note: Callable[[Notice], None]) -> ToolResult:
            began, outcome, answer = perf_counter(), Outcome.FAILED, None
            try:
                answer = await ask(note)
                outcome = Outcome.TOOL_ERROR if answer.is_error else Outcome.OK
                return answer
            except Exception as error:
                outcome = outcome_of(error)
                raise
            except anyio.get_cancelled_exc_class():
                outcome = Outcome.CANCELLED
                raise
            finally:
                took_s = perf_counter() - began
                end = Invoked(utc_ms(), caller, name, tool, arguments, answer, outcome, took_s)
                trail.note(end.entry)
                if place is not None:
                    telemetry.invoked(place, name.server, name.tool, outcome, took_s)

        return told

    async def _answered(self, call: LongCall[ToolResult]) -> bool:
        """Return True when the call has ended in time, passing on its progress until then."""
        context, told = get_context(), call.progress
        until = anyio.current_time() + self._services.settings.long_call_s
        while not await call.wait(min(PROGRESS_EVERY_S, until - anyio.current_time())):
            if anyio.current_time() >= until:
                return False
            if call.progress is not None and call.progress is not told:
                told = call.progress
                await context.report_progress(told.progress, told.total, told.message)
        return True


def check_payload(
    name: ToolName, payload: Mapping[str, Any] | str, schema: object
) -> dict[str, Any]:
    """Return the arguments in a payload. Raises Refused, with what fits, when they do not fit."""
    try:
        checker = checker_of(encode(schema))
    except Unfollowable:
        checker = checker_of(ANY_OBJECT)
    try:
        arguments = read_payload(payload)
    except NotAnObject as error:
        fits = _example({}, checker)
        raise Refused(f"The payload {error}, not an object of {name.canonical}.{fits}") from error
    if faults := faults_in(arguments, checker):
        raise Refused(
            f"The payload does not fit {name.canonical}: {sentence_of_faults(faults)}."
            f"{_example(arguments, checker)}"
        )
    return arguments


def read_result(name: ToolName, result: Mapping[str, Any]) -> CallToolResult:
    """Return a child's result as it is. Raises Refused when it is not the result of a tool."""
    if result.get("resultType", "complete") != "complete":
        raise Refused(
            f"{name.canonical} asks for input first, which this tool cannot pass on;"
            f" connect to /servers/{name.server}/mcp to call it."
        )
    try:
        return CallToolResult.model_validate(result)
    except ValidationError as error:
        raise Refused(f"{name.canonical} answered something that is no tool result.") from error


def _example(arguments: Mapping[str, Any], checker: Checker) -> str:
    text = mended(arguments, checker)
    return " describe_tool shows its schema." if text is None else f" This one fits: {text}"
