"""The bytes of the Messages API: requests read, replies as server-sent events or one object.

Shapes: https://docs.claude.com/en/api/messages-streaming
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from gateway.standin.script import LABEL, Call, ModelRequest, OfferedTool, Say

INPUT_TOKENS = 1000
OUTPUT_TOKENS = 50
"""What every reply claims to have used, so that costs in tests are known numbers."""

_USAGE = {
    "input_tokens": INPUT_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}

Json = Mapping[str, Any]


def read_request(body: Json) -> ModelRequest:
    """Return what a request asks, in our words."""
    messages = cast("list[Json]", body.get("messages", []))
    users = [message for message in messages if message.get("role") == "user"]
    blocks = [block for message in users for block in _blocks(message)]
    return ModelRequest(
        model=str(body.get("model", "")),
        prompt="\n".join(_texts(users[0])) if users else "",
        tools=tuple(
            OfferedTool(tool["name"], tool.get("input_schema", {}))
            for tool in cast("list[Json]", body.get("tools", []))
        ),
        tool_results=tuple(
            "\n".join(_texts(block)) for block in blocks if block.get("type") == "tool_result"
        ),
        body=body,
        streamed=bool(body.get("stream")),
    )


def whole(reply: Say | Call, *, model: str, number: int) -> dict[str, Any]:
    """Return the reply as one message object."""
    return {
        **_frame(model, number),
        "content": [_block(reply, number)],
        "stop_reason": _stop_reason(reply),
        "usage": _USAGE,
    }


BEHIND_TEXT = 3
"""Events that follow the last piece of a reply."""


def events(reply: Say | Call, *, model: str, number: int) -> Iterator[bytes]:
    """Return the reply as the events of one stream."""
    opening: dict[str, Any] = {
        **_frame(model, number),
        "content": [],
        "stop_reason": None,
        "usage": _USAGE,
    }
    yield _event("message_start", message=opening)
    block = _block(reply, number)
    if isinstance(reply, Say):
        yield _event("content_block_start", index=0, content_block=block | {"text": ""})
        deltas = [{"type": "text_delta", "text": text} for text in _pieces(block["text"], reply)]
    else:
        yield _event(
            "content_block_start", index=0, content_block={**block, "input": dict[str, Any]()}
        )
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
    for delta in deltas:
        yield _event("content_block_delta", index=0, delta=delta)
    yield _event("content_block_stop", index=0)
    ending = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    yield _event("message_delta", delta=ending, usage={"output_tokens": OUTPUT_TOKENS})
    yield _event("message_stop")


def _pieces(text: str, reply: Say) -> list[str]:
    length = -(-len(text) // reply.pieces)
    return [text[at : at + length] for at in range(0, len(text), length)]


def _frame(model: str, number: int) -> dict[str, Any]:
    return {
        "id": f"msg_standin_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "stop_sequence": None,
    }


def _block(reply: Say | Call, number: int) -> dict[str, Any]:
    if isinstance(reply, Say):
        return {"type": "text", "text": f"{LABEL} {reply.text}"}
    call_id = f"toolu_standin_{number}"
    return {"type": "tool_use", "id": call_id, "name": reply.tool, "input": dict(reply.arguments)}


def _stop_reason(reply: Say | Call) -> str:
    return "end_turn" if isinstance(reply, Say) else "tool_use"


def _event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def _blocks(message: Json) -> list[Json]:
    """Return the content of a message or a tool result as blocks."""
    content = message.get("content", "")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return cast("list[Json]", content)


def _texts(message: Json) -> list[str]:
    return [str(block["text"]) for block in _blocks(message) if block.get("type") == "text"]
