"""Finding a server's tools and learning how to call them, without a tool list of one's own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.tool_names import ToolName
from gateway.tools.tool_index import Listed, ToolIndex, words_of
from tests.tools.conftest import Gateway, open_gateway, text_of
from tests.tools.servers import ANY, SEND, server_code

SEND_NAME = "mcp__email__send"


def listed(server: str, **tools: str) -> Listed:
    """Return a server with tools by description."""
    return Listed(
        server, tuple({"name": name, "description": text} for name, text in tools.items())
    )


MANY = (
    listed(
        "email",
        send_email="Send an email to one or more people.",
        list_inbox="List the newest messages of the inbox.",
        searchMessages="Search all mail by sender, subject and text.",
        delete_message="Move a message to the bin.",
    ),
    listed(
        "calendar",
        create_event="Create an event and invite people by email.",
        list_events="List events between two dates.",
        find_free_slot="Find a time when everybody is free.",
    ),
    listed(
        "files",
        read_file="Read a file as text.",
        write_file="Write text to a file.",
        search_files="Search files by name or content.",
    ),
    listed("weather", get_forecast="Weather forecast for a city.", current="Weather right now."),
    listed("pdf", invoice_to_pdf="Turn an invoice into a PDF.", merge="Merge PDF files into one."),
)


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("send email", "email:send_email"),
        ("sending emails", "email:send_email"),
        ("email", "email:send_email"),
        ("search messages", "email:searchMessages"),
        ("search mail by subject", "email:searchMessages"),
        ("create a calendar event", "calendar:create_event"),
        ("when is everybody free", "calendar:find_free_slot"),
        ("read a file", "files:read_file"),
        ("searching files", "files:search_files"),
        ("what is the weather in Paris", "weather:current"),
        ("forecast", "weather:get_forecast"),
        ("weather forecast for Paris", "weather:get_forecast"),
        ("make pdf from invoice", "pdf:invoice_to_pdf"),
        ("combine pdf merge", "pdf:merge"),
        ("delet", "email:delete_message"),
        ("get_forecast", "weather:get_forecast"),
        ("mcp__files__write_file", "files:write_file"),
        ("Prévisions forecast", "weather:get_forecast"),
    ],
)
async def test_the_tool_that_was_meant_comes_first(query: str, best: str) -> None:
    """Ours: words, their forms and beginnings, names before descriptions."""
    server, _, tool = best.partition(":")
    assert (await ToolIndex().find(query, MANY))[0] == ToolName(server, tool)


async def test_an_index_follows_its_servers() -> None:
    """Ours: a list that changed is read again, one that went is gone, one that stayed is kept."""
    index = ToolIndex()
    mail, other = listed("a", send="Send."), listed("b", ship="Send far away.")
    assert await index.find("send", (mail, other)) == [ToolName("a", "send"), ToolName("b", "ship")]
    changed = listed("a", receive="Receive.")
    assert await index.find("send", (changed, other)) == [ToolName("b", "ship")]
    assert await index.find("send", (changed,)) == []
    assert await index.find("receive", (changed,)) == [ToolName("a", "receive")]


@pytest.mark.parametrize(
    "query", ['"', "* OR *", "NEAR(a b)", "tool : x", "'; DROP TABLE tools", "-"]
)
async def test_a_query_is_words_and_never_a_language(query: str) -> None:
    """Ours: FTS5's own syntax is not for callers."""
    await ToolIndex().find(query, MANY)


def test_words_that_every_sentence_has_count_only_alone() -> None:
    """Ours."""
    assert words_of("What can I use to sendMail?") == ["send", "mail"]
    assert words_of("what is this") == ["what", "is", "this"]
    assert words_of("?!") == []


@pytest.fixture(scope="module")
async def mail(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway with the servers `email`, `far.away` named long, and `off`, which is disabled."""
    async with open_gateway(tmp_path_factory.mktemp("mail")) as gateway:
        await gateway.call("create_mcp_server", name="email", code=SEND)
        await gateway.call("create_mcp_server", name="off", code=server_code({"send_off": ANY}))
        await gateway.call("disable_mcp_server", name="off")
        yield gateway


async def test_a_new_server_is_found_described_and_called_in_one_chat(gateway: Gateway) -> None:
    """Issue 4, What 6: by these tools alone, right after create_mcp_server."""
    assert (await gateway.call("search_tools", query="send"))["tools"] == []
    await gateway.call("create_mcp_server", name="email", code=SEND)
    (hit,) = (await gateway.call("search_tools", query="send"))["tools"]
    assert hit == {
        "tool": SEND_NAME, "title": "", "description": "Does send.",
        "arguments": ["to", "copies?"],
    }  # fmt: skip
    described = await gateway.call("describe_tool", tool=hit["tool"])
    assert described["input_schema"]["required"] == ["to"]
    assert described["call"] == (
        'invoke_internal_mcp_tool(tool="mcp__email__send", payload={"to": "text"})'
    )
    result = await gateway.raw(
        "invoke_internal_mcp_tool", tool=described["tool"], payload=described["example"]
    )
    assert text_of(result) == '{"to": "text"}'
    await gateway.call("update_mcp_server", name="email", code=server_code({"receive": ANY}))
    assert (await gateway.call("search_tools", query="send"))["tools"] == []
    assert (await gateway.call("search_tools", query="receive"))["found"] == 1


async def test_a_disabled_servers_tools_are_not_found(mail: Gateway) -> None:
    """Ours: what cannot be called is no answer; describing it says how to get it back."""
    answer = await mail.call("search_tools", query="send")
    assert [hit["tool"] for hit in answer["tools"]] == [SEND_NAME]
    assert answer["message"] == "1 of 1 tool."
    described = await mail.call("describe_tool", tool="off:send_off")
    assert described["state"] == "disabled"
    refusal = await mail.refusal("invoke_internal_mcp_tool", tool="off:send_off")
    assert refusal == "Server 'off' is disabled; start it with enable_mcp_server."


async def test_a_server_without_tools_is_named(gateway: Gateway) -> None:
    """Ours: nothing found may also mean that its server does not run."""
    await gateway.call("create_mcp_server", name="broken", code="raise SystemExit(1)")
    answer = await gateway.call("search_tools", query="anything")
    assert answer["silent_servers"] == ["broken"]
    assert answer["message"] == (
        "No tool has any of these words. create_mcp_server makes a new one."
    )


@pytest.mark.parametrize("written", ["email:send", "email.send", SEND_NAME, " email__send "])
async def test_every_spelling_is_described(mail: Gateway, written: str) -> None:
    """Ours: as invoke_internal_mcp_tool reads them."""
    assert (await mail.call("describe_tool", tool=written))["tool"] == SEND_NAME


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"tool": "email:sned"}, "Server 'email' has no tool 'sned'. Did you mean 'send'?"),
        ({"tool": "emial:send"}, "There is no server named 'emial'. Did you mean 'email'?"),
        ({"tool": "send"}, "\"send\" names no tool of a server; write 'mcp__server__tool'."),
    ],
)
async def test_a_tool_that_is_not_there_is_answered_with_the_nearest(
    mail: Gateway, arguments: dict[str, Any], sentence: str
) -> None:
    """Ours: one sentence."""
    assert (await mail.refusal("describe_tool", **arguments)).startswith(sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"query": "?!"}, '"?!" holds no word to search for.'),
        ({"query": "send", "limit": 0}, "limit"),
        ({"query": ""}, "query"),
        ({"query": "x" * 501}, "query"),
    ],
)
async def test_a_wrong_search_is_one_sentence(
    mail: Gateway, arguments: dict[str, Any], sentence: str
) -> None:
    """Ours."""
    refusal = await mail.refusal("search_tools", **arguments)
    assert sentence in refusal
    assert "\n" not in refusal


async def test_a_search_names_the_nearest_tool_when_no_word_fits(mail: Gateway) -> None:
    """Ours: a slip of the keyboard inside a name."""
    answer = await mail.call("search_tools", query="mcp__emal__sednd")
    assert answer["tools"] == []
    assert answer["message"].endswith("Did you mean 'mcp__email__send'?")
