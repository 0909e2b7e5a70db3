"""Calling a server's tool through the gateway: its own answer, or one sentence that teaches."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp_types import ImageContent, TextContent

from tests.tools.conftest import Gateway, open_gateway, text_of
from tests.tools.servers import ANY, SEND, server_code

RICH = server_code(
    {"rich": ANY, "fails": ANY, "dies": ANY, "asks": ANY, "nonsense": ANY},
    """
    if name == "rich":
        return {"content": [{"type": "text", "text": "a"},
                            {"type": "image", "data": "aGk=", "mimeType": "image/png"}],
                "structuredContent": {"n": [1, {"x": None}]}, "_meta": {"k": "v"}}
    if name == "fails":
        return {"content": [{"type": "text", "text": "no such person"}], "isError": True}
    if name == "asks":
        return {"resultType": "input_required", "inputRequests": {}}
    if name == "nonsense":
        return {"content": 5}
    print("out of paper", file=sys.stderr, flush=True)
    os._exit(3)
    """,
)


@pytest.fixture(scope="module")
async def email(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway with the servers `email` and `rich`."""
    async with open_gateway(tmp_path_factory.mktemp("email")) as gateway:
        await gateway.call("create_mcp_server", name="email", code=SEND)
        await gateway.call("create_mcp_server", name="rich", code=RICH)
        yield gateway


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_childs_result_passes_through_in_both_eras(tmp_path: Path, mode: str) -> None:
    """Ours: content, structured content and _meta as the child made them, wrapped in nothing."""
    async with open_gateway(tmp_path, mode=mode) as gateway:
        await gateway.call("create_mcp_server", name="rich", code=RICH)
        result = await gateway.raw("invoke_internal_mcp_tool", tool="rich:rich", payload={})
    assert result.content == [
        TextContent(type="text", text="a"),
        ImageContent(type="image", data="aGk=", mime_type="image/png"),
    ]
    assert result.structured_content == {"n": [1, {"x": None}]}
    assert result.is_error is False
    assert result.meta is not None
    assert result.meta["k"] == "v"


async def test_a_tools_own_error_stays_its_own(email: Gateway) -> None:
    """MCP: a tool that failed answers with isError and its text."""
    result = await email.raw("invoke_internal_mcp_tool", tool="rich:fails", payload={})
    assert (result.is_error, text_of(result)) == (True, "no such person")


@pytest.mark.parametrize(
    "written", ["email:send", "email.send", "mcp__email__send", "email__send", " email:send "]
)
async def test_every_spelling_of_a_tool_is_called(email: Gateway, written: str) -> None:
    """Ours: one tool, many spellings."""
    result = await email.raw("invoke_internal_mcp_tool", tool=written, payload={"to": "x"})
    assert text_of(result) == '{"to": "x"}'


async def test_a_tool_with_a_long_name_is_called_by_its_exposed_name(gateway: Gateway) -> None:
    """Ours: the name that the answer shows is the name that works."""
    long = "do." + "x" * 90
    answer = await gateway.call("create_mcp_server", name="long", code=server_code({long: ANY}))
    (exposed,) = answer["server"]["tools"]
    assert len(exposed) == 64
    for name in (exposed, f"long:{long}"):
        result = await gateway.raw("invoke_internal_mcp_tool", tool=name, payload={"n": 1})
        assert text_of(result) == '{"n": 1}'


async def test_a_wrong_payload_is_answered_with_what_was_expected(email: Gateway) -> None:
    """Ours: the model repairs its call without another look-up; the child never sees it."""
    before = email.services.supervisor.snapshot("email").calls
    refusal = await email.refusal(
        "invoke_internal_mcp_tool", tool="email:send", payload={"to": "x", "copies": "2"}
    )
    assert refusal == (
        "The payload does not fit mcp__email__send: copies must be of type integer, not a string."
        ' This one fits: {"to": "x", "copies": 2}'
    )
    assert email.services.supervisor.snapshot("email").calls == before


async def test_a_payload_may_be_the_text_of_an_object(email: Gateway) -> None:
    """Ours: models write arguments as strings; what else they write is refused."""
    text = '{"to": "x", "copies": 2}'
    result = await email.raw("invoke_internal_mcp_tool", tool="email:send", payload=text)
    assert text_of(result) == text
    refusal = await email.refusal("invoke_internal_mcp_tool", tool="email:send", payload="[1]")
    assert refusal == (
        "The payload is the JSON text of an array, not an object of mcp__email__send."
        ' This one fits: {"to": "text"}'
    )


@pytest.mark.parametrize(
    ("tool", "sentence"),
    [
        ("emial:send", "There is no server named 'emial'. Did you mean 'email'?"),
        ("email:sned", "Server 'email' has no tool 'sned'. Did you mean 'send'?"),
        ("email:xyz", "Server 'email' has no tool 'xyz'. It has: send."),
        ("mcp__email", "\"mcp__email\" names no tool of a server; write 'mcp__server__tool'."),
        ("../x", "\"../x\" names no tool of a server; write 'mcp__server__tool'."),
        ("", "A tool name is empty; write one like 'mcp__server__tool' or 'Read'."),
    ],
)
async def test_an_unknown_tool_is_answered_with_the_nearest(
    email: Gateway, tool: str, sentence: str
) -> None:
    """Ours: one sentence, with what was probably meant."""
    refusal = await email.refusal("invoke_internal_mcp_tool", tool=tool, payload={})
    assert refusal.startswith(sentence)
    assert "\n" not in refusal


async def test_a_child_that_dies_says_why(gateway: Gateway) -> None:
    """Ours: exit code and the end of standard error come back with the failed call."""
    await gateway.call("create_mcp_server", name="rich", code=RICH)
    refusal = await gateway.refusal("invoke_internal_mcp_tool", tool="rich:dies", payload={})
    sentence, _, tail = refusal.partition("\n")
    assert sentence.startswith("Server 'rich' ended during the call: ")
    assert "3" in sentence
    assert tail == "The end of its standard error:\n  out of paper"


async def test_what_is_no_tool_result_is_refused(email: Gateway) -> None:
    """Ours: a child's nonsense does not reach the caller as an internal error."""
    refusal = await email.refusal("invoke_internal_mcp_tool", tool="rich:nonsense", payload={})
    assert refusal == "mcp__rich__nonsense answered something that is no tool result."


async def test_a_tool_that_asks_back_is_refused_with_a_way_out(email: Gateway) -> None:
    """A known gap: input requests are not passed on through this tool."""
    refusal = await email.refusal("invoke_internal_mcp_tool", tool="rich:asks", payload={})
    assert "/servers/rich/mcp" in refusal
