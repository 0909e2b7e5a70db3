"""Reads model and usage out of an answer of the Messages API while its bytes pass. Pure.

Shapes: https://docs.claude.com/en/api/messages-streaming
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from gateway.budgets.prices import Usage, read_usage

MAX_LINE_BYTES = 4 * 1024 * 1024
"""A longer event is passed on unread; usage comes in events of a few hundred bytes."""
OVERLOAD = frozenset({"overloaded_error", "rate_limit_error", "api_error", "timeout_error"})
CHARACTERS_PER_TOKEN = 3
"""For answers cut before the API said how long they were; rather too few than too many."""


class AnswerReader:
    """What an answer has told so far; one for a stream of events, or for one JSON object."""

    def __init__(self, *, streamed: bool) -> None:
        self.model = ""
        """As the API names it; empty until it has."""
        self.over = False
        """The stream has said that nothing follows."""
        self.asks_for_tools = False
        """The model waits for tools, and so for another turn."""
        self.overloaded = False
        """A stream that had begun ended with the word that a later request may succeed."""
        self._streamed = streamed
        self._rest = bytearray()
        self._usage: dict[str, Any] = {}
        self._characters = 0
        self._final = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the answer."""
        self._rest += chunk
        if not self._streamed:
            return
        *lines, last = self._rest.split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:])
        self._rest = last if len(last) <= MAX_LINE_BYTES else bytearray()

    def usage(self) -> Usage:
        """Return what was used. Of a stream that was cut, the output is estimated by its length."""
        if not self._streamed:
            self._whole()
        usage = dict(self._usage)
        if not self._final:
            estimate = self._characters // CHARACTERS_PER_TOKEN
            usage["output_tokens"] = max(int(usage.get("output_tokens") or 0), estimate)
        return read_usage(usage)

    def _event(self, data: bytes | bytearray) -> None:
        event = _object(data)
        match event.get("type"):
            case "message_start":
                self._message(_inner(event, "message"))
            case "content_block_delta":
                delta = _inner(event, "delta")
                self._characters += sum(len(text) for text in delta.values() if _is_text(text))
            case "message_delta":
                self._add(_inner(event, "usage"))
                self._note_end(_inner(event, "delta"))
                self._final = True
            case "message_stop":
                self.over = True
            case "error":
                self.overloaded = _inner(event, "error").get("type") in OVERLOAD
            case _:
                pass

    def _whole(self) -> None:
        message = _object(self._rest)
        self._message(message)
        self._note_end(message)
        self._final = bool(message)

    def _note_end(self, message: Mapping[str, Any]) -> None:
        self.asks_for_tools = message.get("stop_reason") == "tool_use"

    def _message(self, message: Mapping[str, Any]) -> None:
        model = message.get("model")
        self.model = model if isinstance(model, str) else ""
        self._add(_inner(message, "usage"))

    def _add(self, usage: Mapping[str, Any]) -> None:
        # Later events repeat what they know, in sums, and leave out or null the rest.
        self._usage |= {key: value for key, value in usage.items() if value is not None}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _object(data: bytes | bytearray) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _inner(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
