"""What a run said and used so far: messages for the store, totals for when no result comes."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    ResultMessage,
    SystemMessage,
    TextBlock,
    ToolUseBlock,
    UserMessage,
)

from gateway.domain.run import RunMessage

MAX_BODY_CHARS = 256 * 1024
"""Of one stored message; a longer one keeps its beginning."""
_KINDS: tuple[tuple[type[object], str], ...] = (
    (SystemMessage, "system"),
    (AssistantMessage, "assistant"),
    (UserMessage, "user"),
    (ResultMessage, "result"),
)


class Transcript:
    """Collects the messages of one attempt."""

    def __init__(
        self,
        run_id: str,
        now_ms: Callable[[], int],
        hide: Callable[[Any], Any],
        *,
        first: int = 0,
    ) -> None:
        """`hide` takes secrets out of what is stored.

        `first`: number of the first message; earlier attempts may have left some.
        """
        self._run_id = run_id
        self._now_ms = now_ms
        self._hide = hide
        self._unsaved: list[RunMessage] = []
        self._count = first
        self._usage: dict[str, tuple[int, int]] = {}
        self.result: ResultMessage | None = None
        self.last_text: str | None = None
        self.session_id: str | None = None
        self.called_tools = False

    def add(self, message: Message) -> RunMessage:
        """Take one message from the SDK; return it as it is stored."""
        body = json.dumps(
            self._hide(asdict(message)),
            ensure_ascii=False,
            default=lambda value: self._hide(str(value)),
        )
        stored = RunMessage(
            self._run_id, self._count, _kind(message), _capped(body), self._now_ms()
        )
        self._unsaved.append(stored)
        self._count += 1
        if isinstance(message, ResultMessage):
            self.result = message
        elif isinstance(message, AssistantMessage):
            self._note_answer(message)
        elif isinstance(message, SystemMessage):
            self.session_id = self.session_id or message.data.get("session_id")
        return stored

    def take_unsaved(self) -> list[RunMessage]:
        """Return the messages that nobody has taken yet."""
        taken, self._unsaved = self._unsaved, []
        return taken

    @property
    def tokens(self) -> tuple[int, int] | None:
        """Input and output tokens: of the result if it came, else of the answers seen."""
        if self.result is not None and self.result.usage:
            counted = _tokens(self.result.usage)
            if any(counted):
                return counted
        if not self._usage:
            return None
        return sum(used[0] for used in self._usage.values()), sum(
            used[1] for used in self._usage.values()
        )

    def _note_answer(self, message: AssistantMessage) -> None:
        if any(isinstance(block, ToolUseBlock) for block in message.content):
            self.called_tools = True
        texts = [block.text for block in message.content if isinstance(block, TextBlock)]
        if texts:
            self.last_text = "\n".join(texts)
        if message.usage and message.message_id:
            # One answer arrives as several messages, each with the usage of the whole.
            self._usage[message.message_id] = _tokens(message.usage)


def _tokens(usage: dict[str, Any]) -> tuple[int, int]:
    """Return input tokens, cached ones included, and output tokens."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(usage.get(name) or 0 for name in names), usage.get("output_tokens") or 0


def _kind(message: Message) -> str:
    for kind, word in _KINDS:
        if isinstance(message, kind):
            return word
    return "other"


def _capped(body: str) -> str:
    if len(body) <= MAX_BODY_CHARS:
        return body
    return json.dumps({"characters": len(body), "beginning": body[:MAX_BODY_CHARS]})
