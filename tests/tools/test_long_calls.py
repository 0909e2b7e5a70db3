"""Calls that take longer than a client waits: they go on, once, for whoever made them."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp.tools import ToolResult
from mcp_types import TextContent
from quart import typing as quart_typing

from gateway.calls.calls import (
    KEEP_S,
    MAX_ENDED,
    MAX_RUNNING,
    CallEnded,
    Calls,
    LongCall,
    NoSuchCall,
    Progress,
    TooManyCalls,
)
from gateway.dashboard.live import Live
from gateway.domain.token import Scope
from gateway.server_pages import open_server_pages
from supervisor.children.call import Notice
from tests.dashboard.parts import Shown, send, sign_in
from tests.tools.conftest import Gateway, open_gateway, text_of
from tests.tools.test_scopes import connected
from tests.waiting import PATIENCE_S

GUARD_S = PATIENCE_S
CODE = """
import json, sys, threading

WRITING = threading.Lock()
RELEASED = threading.Event()
CANCELLED = threading.Event()
COUNT = [0]
NAMES = ("slow", "stuck", "release", "counted", "was_cancelled", "fails", "dies", "large")

def send(message):
    with WRITING:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\\n")
        sys.stdout.flush()

def text(value):
    return {"content": [{"type": "text", "text": value}]}

def call(params):
    name = params["name"]
    if name in ("slow", "stuck", "fails", "dies", "large"):
        COUNT[0] += 1
        if name == "stuck":
            CANCELLED.clear()
        token = params.get("_meta", {}).get("progressToken")
        send({"method": "notifications/progress", "params": {
            "progressToken": token, "progress": 3, "total": 10, "message": "third of ten"}})
        (CANCELLED if name == "stuck" else RELEASED).wait(30)
        RELEASED.clear()
    if name == "release":
        RELEASED.set()
    if name == "was_cancelled":
        return text(str(CANCELLED.wait(5)))
    if name == "counted":
        return text(str(COUNT[0]))
    if name == "fails":
        return {**text("no paper"), "isError": True}
    if name == "dies":
        import os
        os._exit(9)
    return text("x" * 300000 if name == "large" else name + " done")

def answer(message):
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                  "serverInfo": {"name": "test", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES]}
    else:
        result = call(params)
    send({"id": message["id"], "result": result})

for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") == "notifications/cancelled":
        CANCELLED.set()
    elif "id" in message and "method" in message:
        threading.Thread(target=answer, args=(message,), daemon=True).start()
"""


@pytest.fixture(scope="module")
async def slow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway that hands calls over after a fifth of a second, and a slow server."""
    folder = tmp_path_factory.mktemp("slow")
    async with open_gateway(folder, long_call_s="0.2") as gateway:
        await gateway.call("create_mcp_server", name="slow", code=CODE)
        yield gateway


async def begin(gateway: Gateway, tool: str) -> dict[str, Any]:
    """Return what a call answers that takes too long."""
    result = await gateway.raw("invoke_internal_mcp_tool", tool=f"slow:{tool}")
    assert result.is_error is False, text_of(result)
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def invoke(gateway: Gateway, tool: str) -> str:
    """Return the text of a call that is quick."""
    return text_of(await gateway.raw("invoke_internal_mcp_tool", tool=f"slow:{tool}"))


async def ended(gateway: Gateway, handle: str) -> Any:
    """Return the result of a call under a handle, once it has one."""
    with anyio.fail_after(GUARD_S):
        while True:
            result = await gateway.raw("get_call", handle=handle, wait_s=5)
            content = result.structured_content
            if not (isinstance(content, dict) and content.get("state") == "running"):
                return result


async def test_a_long_call_goes_on_and_is_called_once(slow: Gateway) -> None:
    """Issue 4, What 6: handle, progress, then the tool's own result; never a second call."""
    before = int(await invoke(slow, "counted"))
    answer = await begin(slow, "slow")
    handle = answer["handle"]
    assert answer == {
        "handle": handle, "tool": "mcp__slow__slow", "state": "running",
        "running_s": answer["running_s"], "progress": 3.0, "total": 10.0,
        "message": "third of ten",
    }  # fmt: skip
    waiting = await slow.raw("get_call", handle=handle, wait_s=0)
    assert "(progress 3 of 10: third of ten)" in text_of(waiting)
    assert "Do not call the tool again" in text_of(waiting)
    assert await invoke(slow, "release") == "release done"
    for _ in range(2):
        assert text_of(await ended(slow, handle)) == "slow done"
    assert int(await invoke(slow, "counted")) == before + 1


async def test_a_cancelled_call_is_cancelled_at_its_server(slow: Gateway) -> None:
    """MCP, basic/utilities/cancellation."""
    handle = (await begin(slow, "stuck"))["handle"]
    cancelled = await slow.call("cancel_call", handle=handle)
    assert (cancelled["handle"], cancelled["state"]) == (handle, "cancelled")
    assert await invoke(slow, "was_cancelled") == "True"
    refusal = await slow.refusal("get_call", handle=handle)
    assert refusal == ("The call of mcp__slow__stuck was ended: it was cancelled by its caller.")
    again = await slow.call("cancel_call", handle=handle)
    assert again["state"] == "had ended already"


async def test_a_long_call_keeps_its_error(slow: Gateway) -> None:
    """MCP: isError is the tool's own."""
    handle = (await begin(slow, "fails"))["handle"]
    await invoke(slow, "release")
    result = await ended(slow, handle)
    assert (result.is_error, text_of(result)) == (True, "no paper")


async def test_a_long_call_with_a_large_result_is_cut(slow: Gateway) -> None:
    """Ours: both handles work together."""
    handle = (await begin(slow, "large"))["handle"]
    await invoke(slow, "release")
    first, second = await ended(slow, handle), await ended(slow, handle)
    assert isinstance(first.content[0], TextContent)
    assert "read_result(handle='result_" in first.content[0].text
    assert first.content == second.content


@pytest.fixture(scope="module")
async def browser(slow: Gateway) -> quart_typing.TestClientProtocol:
    """The owner before the pages of that server."""
    live = Live(anyio.current_time)
    shown = Shown(
        followed=live,
        monotonic=anyio.current_time,
        further=lambda owner: (open_server_pages(slow.services, owner, live),),
    )
    return await sign_in(shown)


async def text_at(browser: quart_typing.TestClientProtocol, path: str) -> str:
    """Return a page."""
    answer = await browser.get(path)
    return html.unescape(await answer.get_data(as_text=True))


async def tried(browser: quart_typing.TestClientProtocol, tool: str) -> str:
    """Call a tool from its page; return the address that the browser is sent to."""
    path = f"/server/slow/tool?tool={tool}&json=1"
    (definition,) = re.findall(r'name="definition" value="(\w+)"', await text_at(browser, path))
    form = {"tool": tool, "definition": definition, "payload": "{}"}
    answer = await send(browser, "/server/slow/tool", form, page=path)
    assert answer.status_code == 303
    return str(answer.headers["Location"])


async def answered(slow: Gateway, address: str) -> None:
    """Return once the call in an address has ended."""
    (handle,) = re.findall(r"tried=(call_\w+)", address)
    assert await slow.services.calls.find("page:owner", handle).wait(GUARD_S)


async def test_the_page_of_a_tool_goes_on_with_a_long_call(
    slow: Gateway, browser: quart_typing.TestClientProtocol
) -> None:
    """Issue 8: as `get_call`; to look again calls nothing, and no other caller has the answer."""
    before = int(await invoke(slow, "counted"))
    address = await tried(browser, "slow")
    with anyio.fail_after(GUARD_S):
        while "3 of 10: third of ten" not in await text_at(browser, address):
            pass
    (handle,) = re.findall(r"tried=(call_\w+)", address)
    assert handle in await text_at(browser, "/server/slow/tool?tool=slow")
    await invoke(slow, "release")
    await answered(slow, address)
    for _ in range(2):
        assert "slow done" in await text_at(browser, address)
    assert int(await invoke(slow, "counted")) == before + 1
    assert "There is no call" in await slow.refusal("get_call", handle=handle)


async def test_a_long_call_is_cancelled_on_its_page(
    slow: Gateway, browser: quart_typing.TestClientProtocol
) -> None:
    """Issue 8: as `cancel_call`; the server is told."""
    address = await tried(browser, "stuck")
    (handle,) = re.findall(r"tried=(call_\w+)", address)
    form = {"tried": handle, "tool": "stuck"}
    cancelled = await send(browser, "/server/slow/tool/cancel", form, page=address)
    assert cancelled.status_code == 303
    await answered(slow, address)
    page = await text_at(browser, cancelled.headers["Location"])
    assert "it was cancelled on its page" in page
    assert await invoke(slow, "was_cancelled") == "True"
    gone = await send(browser, "/server/slow/tool/cancel", {"tried": "call_x"}, page=address)
    assert gone.status_code == 404


async def test_all_of_a_large_answer_is_read_on_its_page(
    slow: Gateway, browser: quart_typing.TestClientProtocol
) -> None:
    """Issue 8: as `read_result`, a page at a time, or the places that hold a text."""
    address = await tried(browser, "large")
    await invoke(slow, "release")
    await answered(slow, address)
    (rest,) = re.findall(r'href="(/server/slow/tool/result[^"]*)"', await text_at(browser, address))
    first = await text_at(browser, rest)
    assert "Bytes 0 to 65,536 of 300,000." in first
    (more,) = re.findall(r'rel="next" href="([^"]*)"', first)
    assert "Bytes 65,536 to 131,072 of 300,000." in await text_at(browser, more)
    assert "At 65,388" in await text_at(browser, f"{more}&contains=xxx")
    assert "It does not hold this text" in await text_at(browser, f"{rest}&contains=y")
    assert (await browser.get("/server/slow/tool/result?handle=result_x")).status_code == 404


async def test_a_long_call_ends_with_its_server(tmp_path: Path) -> None:
    """Ours: the reason waits for the caller."""
    async with open_gateway(tmp_path, long_call_s="0.2") as gateway:
        await gateway.call("create_mcp_server", name="slow", code=CODE)
        handle = (await begin(gateway, "dies"))["handle"]
        await invoke(gateway, "release")
        result = await ended(gateway, handle)
        assert result.is_error is True
        assert text_of(result).startswith("Server 'slow' ended during the call: exit code 9")


async def test_progress_reaches_a_client_that_waits(tmp_path: Path) -> None:
    """MCP: progress is passed on under the client's own token."""
    told: list[tuple[float, float | None, str | None]] = []
    seen = anyio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))
        seen.set()

    async with open_gateway(tmp_path) as gateway, anyio.create_task_group() as group:
        await gateway.call("create_mcp_server", name="slow", code=CODE)

        async def wait() -> None:
            await gateway.client.call_tool(
                "invoke_internal_mcp_tool", {"tool": "slow:slow"}, progress_handler=note
            )

        group.start_soon(wait)
        with anyio.fail_after(GUARD_S):
            await seen.wait()
        await invoke(gateway, "release")
    assert told == [(3.0, 10.0, "third of ten")]


@pytest.mark.parametrize("tool", ["get_call", "cancel_call"])
async def test_an_unknown_handle_is_one_sentence(slow: Gateway, tool: str) -> None:
    """Ours."""
    refusal = await slow.refusal(tool, handle="call_none")
    assert refusal == (
        "There is no call 'call_none' of yours; answers are kept for an hour and calls end with"
        " the gateway."
    )


@pytest.mark.parametrize("wait_s", [-1, 3601, "long"])
async def test_a_wrong_wait_is_one_sentence(slow: Gateway, wait_s: object) -> None:
    """Ours."""
    assert "wait_s" in await slow.refusal("get_call", handle="x", wait_s=wait_s)


async def test_another_token_reaches_neither_call_nor_result(slow: Gateway) -> None:
    """Ours: over the endpoint, with two tokens of full scope."""
    arguments = {"tool": "slow:slow"}
    async with connected(slow, "2025-11-25", Scope.RUN) as mine:
        begun = await mine.request(
            "tools/call", name="invoke_internal_mcp_tool", arguments=arguments
        )
        handle = begun["structuredContent"]["handle"]
        asked = {"name": "get_call", "arguments": {"handle": handle, "wait_s": 0}}
        seen = await mine.request("tools/call", **asked)
        assert seen["structuredContent"]["state"] == "running"
        other = await slow.refusal("get_call", handle=handle)
        assert other.startswith(f"There is no call '{handle}' of yours;")
        assert (await slow.refusal("cancel_call", handle=handle)) == other
        await invoke(slow, "release")


async def text(value: str) -> ToolResult:
    """Return a result."""
    return ToolResult([TextContent(type="text", text=value)])


async def finished(calls: Calls, owner: str) -> LongCall[Any]:
    """Return a call under a handle that has ended."""
    call = calls.start(owner, "mcp__a__b", lambda note: text("done"))
    assert await call.wait(GUARD_S)
    calls.hand_over(call)
    return call


async def test_calls_end_with_the_gateway_and_say_why() -> None:
    """Ours: no task outlives its owner, and who waits is told."""
    told: list[str] = []

    async def wait(call: LongCall[Any]) -> None:
        await call.wait(GUARD_S)
        with pytest.raises(CallEnded) as ended:
            call.answer()
        told.append(ended.value.reason)

    async with anyio.create_task_group() as group, Calls() as calls:
        call = calls.start("me", "mcp__a__b", lambda note: anyio.sleep_forever())  # pyright: ignore[reportArgumentType]
        group.start_soon(wait, call)
        await anyio.lowlevel.checkpoint()
    assert told == ["the gateway stops"]


async def test_calls_end_with_their_token() -> None:
    """Ours: nothing goes on for a caller that may not call any more, nor waits for it."""
    async with Calls() as calls:
        ended = await finished(calls, "token:gone")
        going = calls.start("token:gone", "mcp__a__b", lambda note: anyio.sleep_forever())  # pyright: ignore[reportArgumentType]
        other = await finished(calls, "token:other")
        calls.forget("gone")
        assert await going.wait(GUARD_S)
        with pytest.raises(CallEnded):
            going.answer()
        with pytest.raises(NoSuchCall):
            calls.find("token:gone", ended.handle)
        assert calls.find("token:other", other.handle) is other


async def test_calls_are_bounded_for_each_caller() -> None:
    """Ours: one caller cannot fill the gateway, nor push out another's answers."""
    now = [0.0]
    async with Calls(lambda: now[0]) as calls:
        other = await finished(calls, "other")
        ended = [await finished(calls, "me") for _ in range(MAX_ENDED + 1)]
        await finished(calls, "me")
        with pytest.raises(NoSuchCall):
            calls.find("me", ended[0].handle)
        with pytest.raises(NoSuchCall):
            calls.find("other", ended[-1].handle)
        assert calls.find("me", ended[-1].handle) is ended[-1]
        assert calls.find("other", other.handle) is other
        for _ in range(MAX_RUNNING):
            calls.start("me", "mcp__a__b", lambda note: anyio.sleep_forever())  # pyright: ignore[reportArgumentType]
        with pytest.raises(TooManyCalls):
            calls.start("me", "mcp__a__b", lambda note: text("x"))
        calls.start("other", "mcp__a__b", lambda note: text("x"))
        now[0] = KEEP_S
        with pytest.raises(NoSuchCall):
            calls.find("other", other.handle)


@pytest.mark.parametrize(
    ("params", "progress"),
    [
        (b'{"progress": 1}', Progress(1.0, None, None)),
        (b'{"progress": 0.5, "total": 2, "message": "half"}', Progress(0.5, 2.0, "half")),
        (b'{"progress": "x"}', None),
        (b'{"total": 1}', None),
        (b"[]", None),
        (None, None),
    ],
)
async def test_progress_is_read_or_dropped(params: bytes | None, progress: Progress | None) -> None:
    """Ours: a child's nonsense is no reason to fail its call."""
    call: LongCall[Any] = LongCall("me", "mcp__a__b", 0.0, anyio.CancelScope())
    call.note(Notice("notifications/progress", params))
    assert call.progress == progress
