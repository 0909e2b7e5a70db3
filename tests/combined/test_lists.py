"""What `/mcp/all` lists: everything of everybody, under names that say whose it is."""

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import TextContent

from gateway.combined.paging import PAGE_ENTRIES
from supervisor.events import ServerState
from supervisor.spec import StartTime
from tests.combined.conftest import Combined, listing, serve_combined


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("child", ["handshake", "modern"])
async def test_a_real_client_of_either_era_uses_all_servers(
    combined: Combined, mode: str, child: str
) -> None:
    """Issue 5, What 4: tools, resources and prompts of all enabled servers."""
    era = ["modern"] if child == "modern" else []
    options = ("tools=one", "prompts=hello", "resources=a://1", "templates=a://x/{y}")
    await combined.stage.start(listing("alpha", *options, *era))
    await combined.stage.start(listing("beta", "tools=one", "prompts=hello", "resources=b://1"))
    async with Client(StreamableHttpTransport(combined.url), mode=mode) as client:
        names = [tool.name for tool in await client.list_tools()]
        own = ["search_tools", "describe_tool"]
        assert names == [*own, "mcp__alpha__one", "mcp__beta__one"]
        prompts = [prompt.name for prompt in await client.list_prompts()]
        assert prompts == ["mcp__alpha__hello", "mcp__beta__hello"]
        resources = [str(resource.uri) for resource in await client.list_resources()]
        assert resources == ["a://1", "b://1"]
        templates = [each.uri_template for each in await client.list_resource_templates()]
        assert templates == ["a://x/{y}"]
        result = await client.call_tool("mcp__beta__one", {"text": "hi"})
        assert isinstance(result.content[0], TextContent)
        assert '"tool": "one", "arguments": {"text": "hi"}' in result.content[0].text
        alpha, beta = (combined.stage.supervisor.snapshot(n).pid for n in ("alpha", "beta"))
        got = await client.get_prompt("mcp__alpha__hello")
        assert got.description == f"hello of {alpha}"
        for uri, pid in (("a://1", alpha), ("b://1", beta), ("a://x/9", alpha)):
            (content,) = await client.read_resource(uri)
            assert content.model_dump()["text"] == str(pid)


async def test_a_list_of_thousands_comes_in_pages_and_a_stale_cursor_is_refused(
    combined: Combined,
) -> None:
    """MCP, server/utilities/pagination: an invalid cursor is -32602."""
    await combined.stage.start(listing("alpha", "many=700"))
    await combined.stage.start(listing("beta", "many=700", "tools=grow"))
    expected = [f"mcp__alpha__t{n}" for n in range(700)]
    expected += ["mcp__beta__grow", *(f"mcp__beta__t{n}" for n in range(700))]
    assert await combined.tools() == expected
    first = (await combined.ask("tools/list"))["result"]
    assert len(first["tools"]) == PAGE_ENTRIES + 2
    cursor = first["nextCursor"]
    # One that is of another list, then one of a list that has changed, then none at all.
    assert (await combined.ask("tools/list", "narrow", cursor=cursor))["error"]["code"] == -32602
    assert "result" in await combined.ask("tools/list", cursor=cursor)
    await combined.call("mcp__beta__grow", text="new")
    await combined.stage.until(lambda: len(combined.stage.supervisor.slot("beta").tools) == 702)
    for stale in (cursor, "", "x" * 1000, "bm9uZQ=="):
        assert (await combined.ask("tools/list", cursor=stale))["error"]["code"] == -32602


async def test_listing_starts_nothing_and_a_sleeping_servers_lists_stay(
    combined: Combined,
) -> None:
    """Ours: tools as the supervisor keeps them, other lists as the child last listed them."""
    spec = listing("alpha", "tools=one", "prompts=hello", start=StartTime.LAZY, idle_stop_s=0.3)
    await combined.stage.start(spec)
    assert await combined.keys("prompts/list", "prompts", "name") == ["mcp__alpha__hello"]
    await combined.stage.until_state("alpha", ServerState.STOPPED)
    assert await combined.tools() == ["mcp__alpha__one"]
    assert await combined.keys("prompts/list", "prompts", "name") == ["mcp__alpha__hello"]
    assert combined.stage.supervisor.snapshot("alpha").state is ServerState.STOPPED
    assert (await combined.call("mcp__alpha__one"))["tool"] == "one"


async def test_a_list_is_asked_for_once_until_it_changes(combined: Combined) -> None:
    """Ours: cached per child, forgotten with list_changed."""
    await combined.stage.start(listing("alpha", "tools=one,grow", "prompts=hello"))
    for _ in range(3):
        assert await combined.keys("prompts/list", "prompts", "name") == ["mcp__alpha__hello"]
    asked = (await combined.call("mcp__alpha__one"))["asked"]
    assert asked.count("prompts/list") == 1
    await combined.call("mcp__alpha__grow", text="new")
    expected = ["mcp__alpha__hello", "mcp__alpha__new"]
    assert await combined.keys("prompts/list", "prompts", "name") == expected


async def test_a_disabled_server_is_not_listed_and_not_called(combined: Combined) -> None:
    """Issue 5, What 4: of all enabled servers."""
    await combined.stage.start(listing("alpha", "tools=one"))
    await combined.stage.supervisor.disable("alpha")
    assert await combined.tools() == []
    answer = await combined.ask("tools/call", name="mcp__alpha__one", arguments={})
    assert answer["error"] == {"code": -32602, "message": "Unknown tool: mcp__alpha__one"}


async def test_names_that_clash_or_are_too_long_are_left_out_and_told(
    combined: Combined, caplog: pytest.LogCaptureFixture
) -> None:
    """Ours: never one server's answer under another one's name."""
    long = "l" * 120
    await combined.stage.start(listing("alpha", f"tools=one,twice,twice,{long}"))
    assert await combined.tools() == ["mcp__alpha__one"]
    told = (await combined.ask("tools/list"))["result"]["_meta"]["claude-runner/left-out"]
    assert told[0] == "Server 'alpha' lists 'mcp__alpha__twice' 2 times."
    assert f"has {len(long) + 12} characters" in told[1]
    assert [record.getMessage().partition(": ")[2] for record in caplog.records[-2:]] == told
    answer = await combined.ask("tools/call", name="mcp__alpha__twice", arguments={})
    assert answer["error"] == {"code": -32602, "message": told[0]}


async def test_a_uri_of_two_servers_belongs_to_neither(combined: Combined) -> None:
    """Ours: resources keep their URIs, so the owner of one must be plain."""
    shared = ("resources=s://same,{0}://1", "templates=t://{{a}}")
    for name in ("alpha", "beta"):
        await combined.stage.start(listing(name, *(each.format(name) for each in shared)))
    listed = await combined.keys("resources/list", "resources", "uri")
    assert listed == ["alpha://1", "beta://1"]
    for uri in ("s://same", "t://1", "u://unknown"):
        answer = await combined.ask("resources/read", uri=uri)
        assert (answer["error"]["code"], answer["error"]["data"]) == (-32602, {"uri": uri})
    sentence = (await combined.ask("resources/read", uri="s://same"))["error"]["message"]
    assert sentence.startswith("'s://same' is listed by 'alpha' and 'beta';")


async def test_a_token_sees_what_it_names_under_the_names_it_gave(combined: Combined) -> None:
    """Issue 5, What 4: filters and renames per token."""
    for name in ("alpha", "beta", "gamma"):
        await combined.stage.start(listing(name, "tools=one,two", "prompts=hello"))
    assert await combined.tools("narrow") == [
        "mcp__alpha__one",
        "mcp__beta__one",
        "mcp__beta__two",
    ]
    prompts = await combined.keys("prompts/list", "prompts", "name", "narrow")
    assert prompts == ["mcp__alpha__hello", "mcp__beta__hello"]
    for hidden in ("mcp__alpha__two", "mcp__gamma__one"):
        answer = await combined.ask("tools/call", "narrow", name=hidden, arguments={})
        assert answer["error"] == {"code": -32602, "message": f"Unknown tool: {hidden}"}
    # alpha's two and beta's renamed one claim the same name.
    assert await combined.tools("renamed") == ["first"]
    called = await combined.call("first", "renamed")
    assert called["pid"] == combined.stage.supervisor.snapshot("alpha").pid
    answer = await combined.ask("tools/call", "renamed", name="mcp__alpha__one", arguments={})
    assert answer["error"]["code"] == -32602


async def test_too_many_tools_are_searched_first(combined: Combined) -> None:
    """Issue 5, What 4: search first."""
    await combined.stage.start(listing("alpha", "many=20"))
    async with serve_combined(combined.stage, search_first=19) as strict:
        names = await strict.keys("tools/list", "tools", "name")
        assert names == ["search_tools", "describe_tool", "call_tool"]
        discovered = (await strict.ask("server/discover"))["result"]
        assert "Search first" in discovered["instructions"]
        found = await strict.ask("tools/call", name="search_tools", arguments={"query": "t7"})
        hits = found["result"]["structuredContent"]["tools"]
        assert [hit["tool"] for hit in hits] == ["mcp__alpha__t7"]
        described = await strict.ask(
            "tools/call", name="describe_tool", arguments={"tool": "mcp__alpha__t7"}
        )
        assert described["result"]["structuredContent"]["tool"]["description"] == "Number 7."
        inner = {"tool": "mcp__alpha__t7", "arguments": {"text": "x"}}
        answer = await strict.ask("tools/call", name="call_tool", arguments=inner)
        assert '"tool": "t7", "arguments": {"text": "x"}' in str(answer["result"]["content"])
        refused = await strict.ask("tools/call", name="search_tools", arguments={"query": 1})
        assert refused["result"]["isError"] is True
    assert len(await combined.tools()) == 20
