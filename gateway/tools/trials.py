"""The tool that tries a server before it goes live."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastmcp.tools import tool
from pydantic import BaseModel, ConfigDict, Field

from gateway.servers.trials import CallOutcome, TrialCall, TrialReport
from gateway.tool_names import parse
from gateway.tools.arguments import ServerName
from gateway.tools.hints import TRY
from gateway.tools.sentences import Refused
from gateway.tools.server_arguments import Code, Dependencies, Hosts, to_draft
from gateway.tools.server_views import FaultView, ToolView, fault_in_words, view_fault
from gateway.tools.services import Services
from supervisor.spec import ServerKind

MAX_CALLS = 20
MAX_SHOWN = 20_000


class CallArgument(BaseModel):
    """An example call of one of the server's tools."""

    model_config = ConfigDict(extra="forbid")

    tool: Annotated[str, Field(min_length=1, max_length=200)]
    arguments: dict[str, Any] = {}


Calls = Annotated[
    list[CallArgument],
    Field(
        max_length=MAX_CALLS,
        description=(
            'Example calls, in order: [{"tool": "add", "arguments": {"a": 1, "b": 2}}]; the tool '
            "by its bare name. Without any it is only started and listed. At most 20."
        ),
    ),
]


@dataclass(frozen=True, slots=True)
class CallView:
    """What became of an example call."""

    tool: str
    ok: bool
    text: str
    """The text of the result, or of the error."""
    structured: Any
    """The structured content of the result, if it has one."""
    cut: bool
    """True when the result was longer than 20,000 characters."""
    took_ms: int


@dataclass(frozen=True, slots=True)
class TrialView:
    """What became of a dry run: `ok` when it started and every call succeeded."""

    ok: bool
    message: str
    tools: list[ToolView]
    calls: list[CallView]
    missing_credentials: list[str]
    undeclared_hosts: list[str]
    fault: FaultView | None
    stderr_tail: list[str]


class TrialTools:
    """test_mcp_server."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Try an MCP server", annotations=TRY)
    async def test_mcp_server(
        self,
        name: ServerName | None = None,
        code: Code | None = None,
        *,
        calls: Calls = [],  # noqa: B006 - never changed
        network: Hosts | None = None,
        dependencies: Dependencies | None = None,
        with_credentials: Annotated[
            bool, Field(description="Give it the stored credentials of `name`.")
        ] = False,
    ) -> TrialView:
        """Start a server in a throw-away sandbox, make example calls, and show what each answers.

        Give `code`, or the `name` of a dynamic server for its present code, or both for new code
        with that server's packages, hosts and other files. The live server, its data folder and
        its versions are not touched, and nothing is left behind: DATA_DIR is empty at first.
        A call may take 30 s, all of it 120 s.
        """
        if name is None and code is None:
            raise Refused("Give code, or the name of a dynamic server, or both.")
        if with_credentials and name is None:
            raise Refused("with_credentials goes with the name of the server that has them.")
        if name is not None:
            self._services.servers.spec(name, ServerKind.DYNAMIC)
            if with_credentials:
                await self._services.servers.held.check_trial(name)
        draft = to_draft(code, None, None, network, dependencies)
        asked = [TrialCall(_bare(call.tool), call.arguments) for call in calls]
        report = await self._services.trials.run(
            name, draft, asked, with_credentials=with_credentials
        )
        return _view(report)


def _bare(text: str) -> str:
    """Return a tool's own name, which may have been written with a server's."""
    name = parse(text)
    return name.tool if name and name.tool != "*" else text


def _view(report: TrialReport) -> TrialView:
    outcomes = [_view_call(outcome) for outcome in report.outcomes]
    failed = sum(not outcome.ok for outcome in outcomes)
    if report.failure is not None:
        message = f"The server did not run: {report.failure}.{fault_in_words(report.fault)}"
    else:
        message = f"The server runs, and {len(outcomes) - failed} of {len(outcomes)} calls succeed."
    if report.missing:
        message += " Set it with set_server_credential; then give name and with_credentials."
    return TrialView(
        ok=report.failure is None and not failed,
        message=message,
        tools=[
            ToolView(
                str(tool["name"]),
                str(tool.get("description") or ""),
                dict(tool.get("inputSchema") or {}),
            )
            for tool in report.tools
            if "name" in tool
        ],
        calls=outcomes,
        missing_credentials=list(report.missing),
        undeclared_hosts=list(report.undeclared_hosts),
        fault=view_fault(report.fault),
        stderr_tail=list(report.stderr_tail),
    )


def _view_call(outcome: CallOutcome) -> CallView:
    result = outcome.result or {}
    text = outcome.error if outcome.error is not None else _text(result.get("content"))
    structured = result.get("structuredContent")
    too_large = len(json.dumps(structured)) > MAX_SHOWN
    return CallView(
        tool=outcome.call.tool,
        ok=outcome.error is None and not result.get("isError", False),
        text=text[:MAX_SHOWN],
        structured=None if too_large else structured,
        cut=too_large or len(text) > MAX_SHOWN,
        took_ms=round(outcome.took_s * 1000),
    )


def _text(content: object) -> str:
    """Return the text of a result's blocks; others are named by their type."""
    blocks = cast("list[object]", content) if isinstance(content, list) else []
    return "\n".join(map(_text_of_block, blocks))


def _text_of_block(block: object) -> str:
    said = cast("dict[str, object]", block) if isinstance(block, dict) else {}
    text = said.get("text")
    return text if isinstance(text, str) else f"[{said.get('type', 'unknown')}]"
