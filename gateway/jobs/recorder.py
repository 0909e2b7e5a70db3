"""Notes what an attempt has and calls, from what its CLI says; the store keeps it."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from gateway.domain.run import Run
from gateway.domain.run_record import CallOutcome, RunRecord, ServerUsed, ToolCall
from gateway.jobs.gate import Offer
from gateway.jobs.proof import FirstMessage, cli_name
from gateway.server_entries import COMBINED_NAME
from gateway.version import read_version

MAX_CALLS = 1000
"""Kept of one attempt, the first ones; all are counted."""
MAX_DIGESTS = 1000
"""Tools of one server whose definitions' digests are kept."""
MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class _Asked:
    seq: int
    server: str
    tool: str
    at: int
    size: int


class Recorder:
    """The record of one attempt."""

    def __init__(
        self,
        run: Run,
        offers: Iterable[Offer],
        *,
        now_ms: Callable[[], int],
        generation_of: Callable[[str], int | None],
        hide: Callable[[Any], Any],
        own_names: Iterable[tuple[tuple[str, str], str]] = (),
    ) -> None:
        """`own_names`: pairs of server and tool that the CLI has by another name.

        `generation_of` returns the present generation of a server, None for one that is gone.

        `hide` takes secrets out of names, which the model may invent.
        """
        self._run = run
        self._offers = tuple(offers)
        self._now_ms = now_ms
        self._generation_of = generation_of
        self._hide = hide
        self._names: Mapping[str, tuple[str, str]] = {
            cli_name(offer.server, tool): (offer.server, tool)
            for offer in self._offers
            for tool in offer.tools
        } | {cli_name(COMBINED_NAME, own): pair for pair, own in own_names}
        self._asked: dict[str, _Asked] = {}
        self._ended: list[ToolCall] = []
        self._count = 0

    def begin(self, first: FirstMessage) -> RunRecord:
        """Return the record of an attempt whose CLI has said this."""
        return RunRecord(
            run_id=self._run.id,
            attempt=self._run.attempt,
            model=first.model,
            cli_version=first.version,
            sdk_version=version("claude-agent-sdk"),
            gateway_version=read_version(),
            tools=tuple(name for name in first.tools if name not in self._names),
            servers=tuple(map(_used, self._offers)),
        )

    def take(self, message: Message) -> None:
        """Note the calls and their ends that a message tells of."""
        if isinstance(message, AssistantMessage):
            for block in message.content:
                if isinstance(block, ToolUseBlock):
                    self._ask(block)
        elif isinstance(message, UserMessage) and not isinstance(message.content, str):
            for block in message.content:
                if isinstance(block, ToolResultBlock):
                    self._answer(block)

    def take_ended(self) -> list[ToolCall]:
        """Return the calls that have ended and that nobody has taken yet."""
        taken, self._ended = self._ended, []
        return taken

    def end(self, record: RunRecord) -> RunRecord:
        """Return the record of an attempt that is over; what it still waits for has ended too."""
        for asked in self._asked.values():
            self._end(asked, CallOutcome.UNANSWERED, 0)
        self._asked.clear()
        servers = tuple(
            replace(used, last_generation=self._generation_of(used.name)) for used in record.servers
        )
        return replace(record, servers=servers, calls=self._count)

    def _ask(self, block: ToolUseBlock) -> None:
        if self._count < MAX_CALLS:
            server, tool = self._names.get(block.name, ("", block.name))
            size = len(json.dumps(block.input, ensure_ascii=False).encode("utf-8", "replace"))
            self._asked[block.id] = _Asked(
                self._count, server, self._hide(tool)[:MAX_NAME_CHARS], self._now_ms(), size
            )
        self._count += 1

    def _answer(self, block: ToolResultBlock) -> None:
        asked = self._asked.pop(block.tool_use_id, None)
        if asked is not None:
            outcome = CallOutcome.ERROR if block.is_error else CallOutcome.OK
            self._end(asked, outcome, _size(block.content))

    def _end(self, asked: _Asked, outcome: CallOutcome, size: int) -> None:
        self._ended.append(
            ToolCall(
                run_id=self._run.id,
                attempt=self._run.attempt,
                seq=asked.seq,
                server=asked.server,
                tool=asked.tool,
                began_at=asked.at,
                took_ms=max(0, self._now_ms() - asked.at),
                outcome=outcome,
                asked_bytes=asked.size,
                answered_bytes=size,
            )
        )


def _used(offer: Offer) -> ServerUsed:
    return ServerUsed(
        name=offer.server,
        generation=offer.generation,
        last_generation=None,
        code=offer.code,
        tool_count=len(offer.tools),
        tools=tuple(sorted(offer.tools.items())[:MAX_DIGESTS]),
    )


def _size(content: object) -> int:
    if content is None:
        return 0
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return len(text.encode("utf-8", "replace"))
