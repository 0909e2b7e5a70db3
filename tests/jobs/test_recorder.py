"""What is noted of an attempt from what its CLI says. Pure."""

from itertools import count
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from gateway.domain.run_record import CallOutcome, ServerUsed, ToolCall
from gateway.jobs.gate import Offer
from gateway.jobs.proof import FirstMessage
from gateway.jobs.recorder import MAX_CALLS, MAX_DIGESTS, Recorder
from supervisor.pinning.definitions import digest_of, read_page
from tests.jobs.parts import a_run

RUN = a_run(attempt=2)
FIRST = FirstMessage({"mail": "connected"}, ("Read", "mcp__mail__send_it"), "claude-x", "2.1.330")


def recorder(**changes: Any) -> Recorder:
    """Return a recorder whose clock goes on by a second at every look."""
    ticks = count(1000, 1000)
    parts: dict[str, Any] = {
        "now_ms": lambda: next(ticks),
        "generation_of": lambda _: 8,
        "hide": lambda text: text.replace("sk-secret", "***"),
        **changes,
    }
    return Recorder(RUN, [Offer("mail", 7, "c0de", {"send.it": "d1"})], **parts)


def asks(*blocks: ToolUseBlock) -> AssistantMessage:
    """Return an answer of the model that calls tools."""
    return AssistantMessage(content=[TextBlock("So:"), *blocks], model="claude-x")


def a_call(seq: int, tool: str, outcome: CallOutcome, **changes: Any) -> ToolCall:
    """Return a call as it is kept."""
    return ToolCall(RUN.id, 2, seq, **{**changes, "tool": tool, "outcome": outcome})


def test_calls_are_kept_with_their_size_and_end_and_without_values():
    """Issue 7: under the server's own name of the tool; an invented name hides what is secret."""
    notes = recorder()
    begun = notes.begin(FIRST)
    notes.take(
        asks(
            ToolUseBlock("1", "mcp__mail__send_it", {"to": "\u00e9"}),
            ToolUseBlock("2", "sk-secret", {}),
            ToolUseBlock("3", "Bash", {}),
        )
    )
    notes.take(UserMessage("No block."))
    notes.take(UserMessage([ToolResultBlock("1", [{"type": "text", "text": "sent"}])]))
    notes.take(UserMessage([ToolResultBlock("2", "no such tool", is_error=True)]))
    notes.take(UserMessage([ToolResultBlock("unknown", "?")]))
    first = notes.take_ended()
    ended = notes.end(begun)
    assert first == [
        a_call(
            0, "send.it", CallOutcome.OK, server="mail",
            began_at=1000, took_ms=3000, asked_bytes=12, answered_bytes=34,
        ),
        a_call(
            1, "***", CallOutcome.ERROR, server="",
            began_at=2000, took_ms=3000, asked_bytes=2, answered_bytes=12,
        ),
    ]  # fmt: skip
    assert notes.take_ended() == [
        a_call(
            2, "Bash", CallOutcome.UNANSWERED, server="",
            began_at=3000, took_ms=3000, asked_bytes=2, answered_bytes=0,
        )
    ]  # fmt: skip
    assert ended.calls == 3
    assert (ended.tools, ended.model, ended.cli_version) == (("Read",), "claude-x", "2.1.330")


def test_a_server_that_was_reloaded_or_removed_meanwhile_shows():
    """Issue 7: the generation at the begin and at the end; none when the server is gone."""
    begun = recorder().begin(FIRST)
    used = ServerUsed("mail", 7, None, "c0de", 1, (("send.it", "d1"),))
    assert begun.servers == (used,)
    assert recorder().end(begun).servers[0].last_generation == 8
    assert recorder(generation_of=lambda _: None).end(begun).servers == (used,)


def test_what_is_kept_is_bounded_and_what_happened_is_counted():
    """Ours: the first calls and digests are kept, the numbers are true."""
    many = {f"t{number:05}": "d" for number in range(MAX_DIGESTS + 5)}
    notes = Recorder(
        RUN,
        [Offer("mail", 1, "c0de", many)],
        now_ms=lambda: 1,
        generation_of=lambda _: 1,
        hide=lambda text: text,
    )
    begun = notes.begin(FIRST)
    for number in range(MAX_CALLS + 5):
        notes.take(asks(ToolUseBlock(str(number), "Read", {})))
        notes.take(UserMessage([ToolResultBlock(str(number), "x")]))
    ended = notes.end(begun)
    assert (len(notes.take_ended()), ended.calls) == (MAX_CALLS, MAX_CALLS + 5)
    assert (len(ended.servers[0].tools), ended.servers[0].tool_count) == (
        MAX_DIGESTS,
        MAX_DIGESTS + 5,
    )


def test_digest_is_the_one_by_which_definitions_are_pinned():
    """Ours: one word for one thing; whatever JSON holds has a digest."""
    page = read_page(b'{"tools": [{"b": 1.50, "name": "t", "a": {"z": 1, "y": null}}]}')  # pyright: ignore[reportArgumentType] - bytes will do
    assert page is not None
    (definition,) = page.definitions()
    assert digest_of({"name": "t", "a": {"y": None, "z": 1}, "b": 1.5}) == definition.digest
    assert len(digest_of({"name": "t", "odd": "\ud800", "big": 2**80})) == 64
