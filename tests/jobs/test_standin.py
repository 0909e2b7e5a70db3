"""The stand-in for the Messages API, asked over HTTP."""

import json
import urllib.error
import urllib.request
from typing import Any

import anyio
import pytest

from gateway.standin import Call, ModelRequest, Refuse, Reply, Say, StandIn
from gateway.standin.script import OfferedTool, call_then_report, example
from tests.waiting import PATIENCE_S

ADD = {
    "name": "mcp__adder__add",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {}},
        "required": ["a", "b"],
    },
}
NOTE = {"name": "mcp__notes__note", "input_schema": {"type": "object"}}


def body(prompt: str = "Hello", **changes: Any) -> dict[str, Any]:
    """Return a request for a message."""
    messages = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
    return {"model": "m", "messages": messages, "tools": [ADD, NOTE], **changes}


async def ask(api: StandIn, request: dict[str, Any]) -> tuple[int, str]:
    """Post a request and return status and body."""

    def post() -> tuple[int, str]:
        asked = urllib.request.Request(f"{api.url}/v1/messages", json.dumps(request).encode())
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await anyio.to_thread.run_sync(post)


def request_with(prompt: str, *results: str) -> ModelRequest:
    """Return a request that offers both tools."""
    tools = tuple(OfferedTool(tool["name"], tool["input_schema"]) for tool in (ADD, NOTE))
    return ModelRequest("m", prompt, tools, results, {})


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (request_with("Hello"), Call("mcp__adder__add", {"a": 1, "b": "stand-in"})),
        (request_with("Use mcp__notes__note now"), Call("mcp__notes__note", {})),
        (request_with("please note this"), Call("mcp__notes__note", {})),
        (
            request_with('mcp__adder__add with {"a": 4, "b": "x"} {'),
            Call("mcp__adder__add", {"a": 4, "b": "x"}),
        ),
        (request_with("Hello", "one", "two"), Say("The tool answered: two")),
        (
            ModelRequest("m", "Hello", (OfferedTool("Read", {}),), (), {}),
            Say("No MCP tool was offered, so there was nothing to call."),
        ),
    ],
)
def test_default_script_calls_a_tool_and_reports(request_: ModelRequest, reply: Reply):
    """Ours: the named tool or the first, arguments from the prompt or the schema."""
    assert call_then_report(request_) == reply


def test_example_has_the_required_properties_only():
    """Ours: the smallest call that the schema allows."""
    schema = {
        "properties": {
            "n": {"type": "number"}, "l": {"type": "array"}, "e": {"enum": ["x", "y"]}, "o": {},
        },
        "required": ["n", "l", "e"],
    }  # fmt: skip
    assert example(schema) == {"n": 1.5, "l": [], "e": "x"}


async def test_every_text_is_labelled():
    """Issue 2, 2: nobody takes the stand-in for a model."""
    async with StandIn(lambda _: Say("hello")) as api:
        status, text = await ask(api, body())
    assert status == 200
    assert json.loads(text)["content"] == [{"type": "text", "text": "[stand-in] hello"}]


async def test_streamed_reply_has_the_events_of_the_api():
    """Spec: the Messages API's streaming events, in their order."""
    async with StandIn() as api:
        _, text = await ask(api, body(stream=True))
    kinds = [line.removeprefix("event: ") for line in text.splitlines() if line[:6] == "event:"]
    assert kinds == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    ]  # fmt: skip


async def test_requests_are_recorded_and_errors_have_the_shape_of_the_api():
    """Ours: tests read what the CLI asked."""
    async with StandIn(lambda _: Refuse(529, "overloaded_error", "busy")) as api:
        status, text = await ask(api, body("Hello there"))
        asked = await api.wait_for_request()
    assert status == 529
    assert json.loads(text)["error"] == {"type": "overloaded_error", "message": "busy"}
    assert (asked.prompt, [tool.name for tool in asked.mcp_tools]) == (
        "Hello there",
        ["mcp__adder__add", "mcp__notes__note"],
    )
