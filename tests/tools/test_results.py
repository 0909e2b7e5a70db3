"""Results that are too large for a chat: cut well, read on by their caller, and gone in time."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp_types import ImageContent, TextContent

from gateway.calls.cutting import MAX_BINARY_BYTES
from gateway.calls.kept_results import (
    KEEP_S,
    MAX_BYTES_PER_OWNER,
    MAX_PER_OWNER,
    KeptResults,
    NoSuchResult,
    cut,
)
from tests.tools.conftest import Gateway, open_gateway, text_of
from tests.tools.servers import ANY, server_code

LIMIT = 60_000
LONG = server_code(
    dict.fromkeys(("lines", "both", "other", "image", "umlauts", "fails"), ANY),
    """
    lines = "".join(f"line {n}\\n" for n in range(20000))
    if name == "lines":
        return {"content": [{"type": "text", "text": lines}], "_meta": {"k": "v"}}
    if name == "fails":
        return {"content": [{"type": "text", "text": lines}], "isError": True}
    if name == "umlauts":
        return {"content": [{"type": "text", "text": "\\u00e4\\U0001f600" * 20000}]}
    if name == "image":
        big = {"type": "image", "data": "aGkh" * (1 << 20), "mimeType": "image/png"}
        blob = {"type": "resource", "resource": {"uri": "a://b", "blob": "aGkh"}}
        return {"content": [big, big, blob, {"type": "text", "text": lines}]}
    items = {"items": [{"n": n} for n in range(10000)]}
    text = json.dumps(items) if name == "both" else "short"
    return {"content": [{"type": "text", "text": text}], "structuredContent": items}
    """,
)


@pytest.fixture(scope="module")
async def long(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway with a server whose answers are long."""
    async with open_gateway(tmp_path_factory.mktemp("long")) as gateway:
        await gateway.call("create_mcp_server", name="long", code=LONG)
        yield gateway


async def answer(gateway: Gateway, tool: str) -> tuple[str, str, int, int]:
    """Return the beginning that a call shows, its handle, where it was cut, and the whole size."""
    result = await gateway.raw("invoke_internal_mcp_tool", tool=f"long:{tool}")
    notice, body = result.content[:2]
    assert isinstance(notice, TextContent) and isinstance(body, TextContent)
    assert result.structured_content is None
    found = re.fullmatch(
        r"\[This result is cut: (\d+) of (\d+) bytes follow; read_result\(handle='(result_\w+)',"
        r" offset=\1\) reads on, with contains='...' it finds a text; kept for an hour.\]",
        notice.text,
    )
    assert found, notice.text
    return body.text, found[3], int(found[1]), int(found[2])


async def read_all(gateway: Gateway, handle: str, offset: int) -> str:
    """Return everything from an offset on, page by page."""
    text = ""
    while True:
        result = await gateway.raw("read_result", handle=handle, offset=offset)
        assert not result.is_error, text_of(result)
        head, _, page = text_of(result).partition("\n")
        assert len(page.encode()) <= LIMIT
        text += page
        if head.endswith("; the end]"):
            return text
        offset = int(head.rpartition("offset=")[2].rstrip("]"))


@pytest.mark.parametrize("tool", ["lines", "both", "umlauts"])
async def test_a_long_result_is_cut_and_read_on_without_loss(long: Gateway, tool: str) -> None:
    """Issue 4, What 6: whole characters, every byte once."""
    body, handle, end, total = await answer(long, tool)
    expected = {
        "lines": "".join(f"line {n}\n" for n in range(20000)),
        "both": json.dumps({"items": [{"n": n} for n in range(10000)]}),
        "umlauts": "\u00e4\U0001f600" * 20000,
    }[tool]
    assert total == len(expected.encode())
    assert LIMIT - 1000 <= end == len(body.encode()) <= LIMIT
    assert body + await read_all(long, handle, end) == expected
    if tool == "lines":
        assert body.endswith("\n")


async def test_structured_content_that_says_more_is_kept_too(long: Gateway) -> None:
    """Ours: one text holds both, and neither twice."""
    body, handle, end, _ = await answer(long, "other")
    whole = body + await read_all(long, handle, end)
    text, _, structured = whole.partition("\n\n")
    assert text == "short"
    assert json.loads(structured) == {"items": [{"n": n} for n in range(10000)]}


async def test_images_go_along_as_far_as_a_chat_takes_them(long: Gateway) -> None:
    """Ours: a model cannot read an image in pages."""
    result = await long.raw("invoke_internal_mcp_tool", tool="long:image")
    notice, body, image = result.content
    assert isinstance(image, ImageContent) and len(image.data) == MAX_BINARY_BYTES
    assert isinstance(notice, TextContent) and "is cut" in notice.text
    assert isinstance(body, TextContent)
    size = MAX_BINARY_BYTES
    assert body.text.startswith(f"[image/png of {size} bytes left out: too large for a chat.]\n\n")
    assert "[a binary resource of 4 bytes left out" in body.text


async def test_an_error_that_is_cut_stays_an_error(long: Gateway) -> None:
    """MCP: isError says whether the tool failed, however long it speaks."""
    result = await long.raw("invoke_internal_mcp_tool", tool="long:fails")
    assert result.is_error is True


async def test_a_text_is_found_in_a_result(long: Gateway) -> None:
    """Ours: places with their offsets, a bounded number at a time."""
    _, handle, _, total = await answer(long, "lines")
    found = text_of(await long.raw("read_result", handle=handle, contains="LINE 19999"))
    head, _, place = found.partition("\n\n")
    assert head == f'[1 places hold "LINE 19999" from 0 on, of {total} bytes]'
    assert place.endswith("line 19998\nline 19999\n")
    many = text_of(await long.raw("read_result", handle=handle, contains="line"))
    head = many.partition("\n\n")[0]
    offset = int(re.search(r"search on with offset=(\d+)\]", head)[1])  # pyright: ignore[reportOptionalSubscript]
    assert many.count("[at ") == 20
    more = text_of(await long.raw("read_result", handle=handle, contains="line", offset=offset))
    assert f"from {offset} on" in more
    nothing = text_of(await long.raw("read_result", handle=handle, contains="no such"))
    assert nothing.startswith('[0 places hold "no such"')


async def test_wrong_reads_are_one_sentence(long: Gateway) -> None:
    """Ours."""
    _, handle, _, total = await answer(long, "lines")
    refusal = await long.refusal("read_result", handle=handle, offset=total)
    assert refusal == f"The result has {total} bytes; there is nothing at {total}."
    for wrong in ("result_none", "../../etc/passwd", ""):
        refusal = await long.refusal("read_result", handle=wrong)
        assert refusal.startswith(f"There is no result {wrong!r} of yours;")


def test_a_cut_never_parts_a_character() -> None:
    """RFC 3629."""
    text = "a\u00e4\u20ac\U0001f600".encode()
    cuts = [cut(text, length) for length in range(len(text) + 2)]
    assert cuts == [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10]


async def test_a_page_begins_and_ends_between_characters(tmp_path: Path) -> None:
    """Ours: whatever offset a caller makes up, a page goes on."""
    async with KeptResults(tmp_path) as results:
        handle = await results.keep("me", "\U0001f600\u00e4".encode() * 3)
        for offset in range(18):
            page = await results.read("me", handle, offset=offset, length=1)
            assert page.text in ("\U0001f600", "\u00e4")
            assert page.offset <= offset < page.end


async def test_results_are_their_owners_alone(tmp_path: Path) -> None:
    """Ours: to anybody else a handle is one that does not exist."""
    async with KeptResults(tmp_path) as results:
        handle = await results.keep("token:a", b"secret")
        with pytest.raises(NoSuchResult):
            await results.read("token:b", handle, offset=0, length=10)
        with pytest.raises(NoSuchResult):
            await results.search("local:a", handle, text="s", offset=0)
        assert (await results.read("token:a", handle, offset=0, length=10)).text == "secret"


async def test_results_are_bounded_and_end(tmp_path: Path) -> None:
    """Ours: the oldest of a caller makes room, one hour is enough for all, no file has a name."""
    now = [0.0]
    async with KeptResults(tmp_path, lambda: now[0]) as results:
        others = await results.keep("other", b"x")
        handles = [await results.keep("me", b"x") for _ in range(MAX_PER_OWNER + 1)]
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(NoSuchResult):
            await results.read("me", handles[0], offset=0, length=1)
        await results.keep("me", b"x" * (MAX_BYTES_PER_OWNER - 1))
        await results.read("me", handles[-1], offset=0, length=1)
        with pytest.raises(NoSuchResult):
            await results.read("me", handles[-2], offset=0, length=1)
        await results.read("other", others, offset=0, length=1)
        now[0] = KEEP_S
        with pytest.raises(NoSuchResult):
            await results.read("other", others, offset=0, length=1)
