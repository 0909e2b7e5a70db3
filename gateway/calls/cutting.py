"""Cuts a tool's result to what a client can take, and keeps the rest for reading on.

Text and structured content are kept as one text. Images and sound go along as they are, for a
model cannot read them in pages; what is larger than any client takes is left out and named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import msgspec
from fastmcp.tools import ToolResult
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from gateway.calls.kept_results import KeptResults, cut
from supervisor.children.wire import decode, encode
from supervisor.redaction import Redactor

MAX_BINARY_BYTES = 4 * 1024 * 1024
"""Of base64 in all blocks of one result."""
MAX_META_BYTES = 2000
"""Metadata of a result that is cut goes along up to this."""
SHOWN_TYPE = 60


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts what is over `limit_bytes`."""

    kept: KeptResults
    limit_bytes: int
    redactor: Redactor
    """Hides secrets in what is kept."""

    async def fitted(self, owner: str, result: CallToolResult) -> ToolResult:
        """Return the result as it is, or its beginning and the handle to the rest."""
        content = _without_large_binaries(result.content)
        if _size(content) + _structured_size(result.structured_content) <= self.limit_bytes:
            if len(content) == len(result.content) and content == result.content:
                return ToolResult.from_mcp_result(result)
            return _changed(result, content, result.structured_content)
        text = _as_text(content, result.structured_content).encode("utf-8", "replace")
        if len(text) <= self.limit_bytes:
            # The structured content says what the text says; clients show one of them.
            return _changed(result, content, result.structured_content)
        text = await anyio.to_thread.run_sync(self.redactor.hide, text)
        end = cut(text, self.limit_bytes)
        try:
            rest = _way_to_the_rest(await self.kept.keep(owner, text), end)
        except OSError as error:
            rest = f"the rest could not be kept ({error.strerror})"
        notice = f"[This result is cut: {end} of {len(text)} bytes follow; {rest}.]"
        head = TextContent(type="text", text=notice)
        body = TextContent(type="text", text=text[:end].decode("utf-8"))
        others = [block for block in content if _text_of(block) is None]
        return _changed(result, [head, body, *others], None)


def _way_to_the_rest(handle: str, end: int) -> str:
    return (
        f"read_result(handle={handle!r}, offset={end}) reads on, with contains='...' it finds a"
        " text; kept for an hour"
    )


def _changed(
    result: CallToolResult, content: Sequence[ContentBlock], structured: dict[str, Any] | None
) -> ToolResult:
    meta = result.meta if result.meta and len(encode(result.meta)) <= MAX_META_BYTES else None
    return ToolResult(list(content), structured, meta, is_error=bool(result.is_error))


def _without_large_binaries(content: Sequence[ContentBlock]) -> list[ContentBlock]:
    """Return the blocks with a sentence for each binary one that does not fit any more."""
    left, fitting = MAX_BINARY_BYTES, list[ContentBlock]()
    for block in content:
        kind, size = _binary(block)
        if size > left:
            text = f"[{kind[:SHOWN_TYPE]} of {size} bytes left out: too large for a chat.]"
            fitting.append(TextContent(type="text", text=text))
        else:
            left -= size
            fitting.append(block)
    return fitting


def _binary(block: ContentBlock) -> tuple[str, int]:
    """Return the type of a binary block and its bytes of base64; 0 for other blocks."""
    match block:
        case ImageContent() | AudioContent():
            return block.mime_type, len(block.data)
        case EmbeddedResource(resource=BlobResourceContents() as resource):
            return resource.mime_type or "a binary resource", len(resource.blob)
        case _:
            return "", 0


def _text_of(block: ContentBlock) -> str | None:
    """Return a block's text, None when it is no text."""
    match block:
        case TextContent():
            return block.text
        case EmbeddedResource(resource=TextResourceContents() as resource):
            return f"[{resource.uri}]\n{resource.text}"
        case _:
            return None


def _size(content: Sequence[ContentBlock]) -> int:
    return sum(len(text.encode("utf-8", "replace")) for b in content if (text := _text_of(b)))


def _structured_size(structured: dict[str, Any] | None) -> int:
    return 0 if structured is None else len(encode(structured))


def _as_text(content: Sequence[ContentBlock], structured: dict[str, Any] | None) -> str:
    """Return all text of a result; structured content that only repeats a block is not repeated."""
    texts = [text for block in content if (text := _text_of(block)) is not None]
    if structured is not None and not any(_says(text, structured) for text in texts):
        texts.append(encode(structured).decode())
    return "\n\n".join(texts)


def _says(text: str, structured: dict[str, Any]) -> bool:
    """Return whether a text is structured content in JSON, or what FastMCP wraps as `result`."""
    wrapped = structured.get("result") if len(structured) == 1 else None
    if text == wrapped:
        return True
    try:
        value: object = decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return value == structured or (wrapped is not None and value == wrapped)
