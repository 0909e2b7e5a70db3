"""Every refusal of a tool is one sentence that says what, which one and what to do.

Domain errors keep their own sentence, wrong arguments get one made here, everything else is logged
by FastMCP with its traceback and is "Internal error" outside.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

import mcp_types
from fastmcp import FastMCP
from fastmcp.exceptions import NotFoundError, ToolError, ValidationError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from pydantic import ValidationError as PydanticValidationError
from pydantic_core import ErrorDetails

from gateway.budgets.defaults import UnknownPrice
from gateway.calls.calls import NoSuchCall, TooManyCalls
from gateway.calls.kept_results import NoSuchResult
from gateway.credentials import CredentialRefused
from gateway.domain.units import shown
from gateway.jobs.errors import JobError
from gateway.nodes import NoSuchNode
from gateway.notify.errors import NotifyError
from gateway.store import StoreError
from gateway.tool_names import InvalidToolName, did_you_mean
from gateway.vault import VaultError
from gateway.webhooks.errors import WebhookError
from sandboxes.errors import SandboxError
from supervisor.errors import ChildDied, StartFailed, SupervisorError

P = ParamSpec("P")
R = TypeVar("R")
Call = MiddlewareContext[mcp_types.CallToolRequestParams]

INTERNAL_ERROR = "Internal error: the gateway failed while doing this; its log says why."

DOMAIN_ERRORS: tuple[type[Exception], ...] = (
    SupervisorError,
    SandboxError,
    StoreError,
    VaultError,
    CredentialRefused,
    JobError,
    UnknownPrice,
    InvalidToolName,
    NoSuchResult,
    NoSuchCall,
    TooManyCalls,
    NotifyError,
    NoSuchNode,
    WebhookError,
)
"""Errors whose message is one sentence for a person."""

_SECRET_ARGUMENTS = frozenset({"address", "credentials", "secret", "value"})
_SHOWN_PROBLEMS = 3


class Refused(ToolError):
    """A tool call that was answered with a sentence instead of a result."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, log_level=logging.INFO)


def refusing(tool: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Return `tool` with its domain errors turned into `Refused`."""

    @functools.wraps(tool)
    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await tool(*args, **kwargs)
        except DOMAIN_ERRORS as error:
            raise Refused(sentence_of(error)) from error

    return call


def sentence_of(error: Exception) -> str:
    """Return the message of a domain error, with the last lines of a dead child below it."""
    if isinstance(error, ChildDied | StartFailed) and error.stderr_tail:
        shown = error.stderr_tail if isinstance(error, StartFailed) else error.stderr_tail[-10:]
        lines = "\n".join(f"  {line}" for line in shown)
        return f"{error}\nThe end of its standard error:\n{lines}"
    return str(error)


class OneSentence(Middleware):
    """The outermost layer of every tool call: no dump, no internals and no secret get out."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        """`hide` takes known secrets out of a sentence."""
        self._hide = hide

    async def on_call_tool(
        self, context: Call, call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult]
    ) -> ToolResult:
        """Run the call; re-word what it raises."""
        name = context.message.name
        try:
            return await call_next(context)
        except Refused as refused:
            raise Refused(self._hide(str(refused))) from refused
        except NotFoundError as error:
            raise Refused(await _unknown_tool(_server(context), name)) from error
        except ValidationError as error:
            raise Refused(await _wrong_arguments(_server(context), name, error)) from error
        except ToolError as error:
            raise Refused(INTERNAL_ERROR) from error


def _server(context: Call) -> FastMCP[Any]:
    assert context.fastmcp_context is not None
    return context.fastmcp_context.fastmcp


async def _unknown_tool(server: FastMCP[Any], name: str) -> str:
    names = [tool.name for tool in await server.list_tools(run_middleware=False)]
    return f"There is no tool named {shown(name)}.{did_you_mean(name, names)}"


async def _wrong_arguments(server: FastMCP[Any], name: str, error: ValidationError) -> str:
    cause = error.__cause__
    if not isinstance(cause, PydanticValidationError):
        return INTERNAL_ERROR
    tool = await server.get_tool(name)
    accepted = list(tool.parameters.get("properties", {})) if tool else []
    problems = [_problem(detail, accepted) for detail in cause.errors(include_url=False)]
    more = len(problems) - _SHOWN_PROBLEMS
    tail = f"; and {more} more" if more > 0 else ""
    return f"{name}: {'; '.join(problems[:_SHOWN_PROBLEMS])}{tail}."


def _problem(detail: ErrorDetails, accepted: list[str]) -> str:
    argument = str(detail["loc"][0]) if detail["loc"] else "arguments"
    path = ".".join(map(str, detail["loc"])) or argument
    if "unexpected" in detail["type"]:
        return f"there is no argument {shown(path)}; it takes {', '.join(accepted) or 'none'}"
    if "missing" in detail["type"]:
        return f"the argument {shown(path)} is required"
    _, _, expectation = detail["msg"].partition(" should ")
    came = "" if argument in _SECRET_ARGUMENTS else f", not {shown(detail['input'])}"
    expected = f"should {expectation}" if expectation else f"is wrong ({detail['msg']})"
    return f"the argument {shown(path)} {expected}{came}"
