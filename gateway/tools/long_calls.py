"""The tools that pick up calls which took longer than a client waits."""

from dataclasses import asdict, dataclass
from typing import Annotated

import anyio
from fastmcp.tools import ToolResult, tool
from mcp_types import TextContent
from pydantic import Field

from gateway.calls.calls import LongCall
from gateway.tools.hints import CHANGE, READ
from gateway.tools.scopes import caller_id
from gateway.tools.services import Services

CANCEL_S = 5.0
"""A cancelled call ends here at once; the bound is for what a busy machine takes."""
CallHandle = Annotated[
    str, Field(max_length=100, description="From invoke_internal_mcp_tool, such as call_k3v7...")
]


@dataclass(frozen=True, slots=True)
class CallView:
    """A call that is under way."""

    handle: str
    tool: str
    state: str
    running_s: float
    progress: float | None
    total: float | None
    message: str | None


class LongCallTools:
    """get_call, cancel_call."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Get the result of a long call", annotations=READ, output_schema=None)
    async def get_call(
        self,
        handle: CallHandle,
        wait_s: Annotated[
            float, Field(ge=0, le=3600, description="How long to wait for the end of the call.")
        ] = 20,
    ) -> ToolResult:
        """Return the result of a call that went on under a handle, or how far it is.

        The result is the tool's own and is kept for an hour. Only the caller has it.
        """
        call = self._services.calls.find(caller_id(), handle)
        if await call.wait(min(wait_s, self._services.settings.long_call_s)):
            return call.answer()
        return still_running(call)

    @tool(title="Cancel a long call", annotations=CHANGE)
    async def cancel_call(self, handle: CallHandle) -> CallView:
        """End a call that goes on under a handle; what it did until then is not undone."""
        call = self._services.calls.find(caller_id(), handle)
        if call.ended_at is not None:
            return view_call(call, "had ended already")
        self._services.calls.cancel(call, "it was cancelled by its caller")
        await call.wait(CANCEL_S)
        return view_call(call, "cancelled")


def still_running(call: LongCall[ToolResult]) -> ToolResult:
    """Return what a caller is told of a call that goes on."""
    view = view_call(call, "running")
    text = (
        f"{call.tool} is still running after {view.running_s:g} s{_how_far(call)}. It goes on:"
        f" get_call(handle={call.handle!r}) waits for its result, cancel_call ends it. Do not call"
        " the tool again."
    )
    return ToolResult([TextContent(type="text", text=text)], asdict(view))


def view_call(call: LongCall[ToolResult], state: str) -> CallView:
    """Return a call as tools show it."""
    progress = call.progress
    return CallView(
        handle=call.handle,
        tool=call.tool,
        state=state,
        running_s=round((call.ended_at or anyio.current_time()) - call.started_at, 1),
        progress=progress.progress if progress else None,
        total=progress.total if progress else None,
        message=progress.message if progress else None,
    )


def _how_far(call: LongCall[ToolResult]) -> str:
    told = call.progress
    if told is None:
        return ""
    of = "" if told.total is None else f" of {told.total:g}"
    message = "" if told.message is None else f": {told.message}"
    return f" (progress {told.progress:g}{of}{message})"
