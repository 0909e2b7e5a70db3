"""Ids, tokens and cancellation on one link, without a process."""

import asyncio
import gc
import json
from collections.abc import Callable

import anyio
import pytest

from supervisor.children.call import Call, Notice
from supervisor.children.link import Link
from supervisor.errors import ChildDied
from tests.waiting import PATIENCE_S


class Pipe:
    """What a link wrote, decoded."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.notices: list[Notice] = []
        self.link = Link(write=self.lines.append, on_notice=self.notices.append)

    @property
    def sent(self) -> list[dict]:
        """Every message written so far."""
        return [json.loads(line) for line in self.lines]

    def say(self, **message: object) -> None:
        """Let the child say something."""
        self.link.feed(json.dumps({"jsonrpc": "2.0", **message}).encode())


def call(pipe: Pipe, params: object, on_progress: Callable[[Notice], None] | None = None) -> Call:
    """Start a call of a tool."""
    return pipe.link.call("tools/call", json.dumps(params).encode(), on_progress=on_progress)


async def test_answers_go_to_their_own_callers_in_any_order() -> None:
    """Ours."""
    pipe = Pipe()
    first, second = call(pipe, {}), call(pipe, {})
    pipe.say(id=second.id, result={"n": 2})
    pipe.say(id=first.id, error={"code": -1, "message": "no"})
    assert bytes((await second.future).result or b"") == b'{"n": 2}'
    answer = await first.future
    assert answer.result is None
    assert json.loads(bytes(answer.error or b"")) == {"code": -1, "message": "no"}
    assert (pipe.link.in_flight, pipe.link.counters.errors) == (0, 1)


@pytest.mark.parametrize(
    ("result", "errors"),
    [
        ({"content": [], "isError": True}, 1),
        ({"content": [{"type": "text", "text": "x" * 100_000}], "isError": True}, 1),
        ({"content": [], "isError": False}, 0),
        ({"content": [{"type": "text", "text": '"isError": true'}]}, 0),
    ],
)
async def test_a_tool_that_says_it_failed_is_counted_as_an_error(result: dict, errors: int) -> None:
    """Issue 4, 7: most servers answer a failure with a result, not with an error."""
    pipe = Pipe()
    for separators in ((",", ":"), (", ", ": ")):
        message = {"jsonrpc": "2.0", "id": call(pipe, {}).id, "result": result}
        pipe.link.feed(json.dumps(message, separators=separators).encode())
    assert pipe.link.counters.errors == errors * 2


async def test_calls_that_a_child_closes_when_it_is_told_to_end_fail_with_the_reason() -> None:
    """Ours: "Connection closed" is what the SDKs' servers say; the caller wants to know why."""
    pipe = Pipe()
    closed, refused = call(pipe, {}), call(pipe, {})
    pipe.link.ending = ChildDied("s", "stopped on request", ())
    pipe.say(id=closed.id, error={"code": -32000, "message": "Connection closed"})
    pipe.say(id=refused.id, error={"code": -32602, "message": "no"})
    with pytest.raises(ChildDied, match="stopped on request"):
        await closed.future
    assert (await refused.future).error is not None


async def test_equal_progress_tokens_of_two_callers_do_not_meet() -> None:
    """Research A.3.1: on stdio progress has no other routing key."""
    pipe = Pipe()
    heard: list[tuple[str, object]] = []

    def hear(who: str) -> Callable[[Notice], None]:
        return lambda notice: heard.append((who, json.loads(bytes(notice.params or b""))))

    params = {"name": "x", "_meta": {"progressToken": 7, "other": 1}}
    first, second = call(pipe, params, hear("first")), call(pipe, params, hear("second"))
    tokens = [message["params"]["_meta"]["progressToken"] for message in pipe.sent]
    assert tokens == [first.id, second.id]
    assert pipe.sent[0]["params"]["_meta"]["other"] == 1
    progress = {"progressToken": second.id, "progress": 1, "total": 2}
    pipe.say(method="notifications/progress", params=progress)
    assert heard == [("second", {"progressToken": 7, "progress": 1, "total": 2})]


async def test_progress_of_a_finished_call_is_dropped() -> None:
    """Research A.4."""
    pipe = Pipe()
    heard: list[Notice] = []
    done = call(pipe, {"_meta": {"progressToken": "t"}}, heard.append)
    pipe.say(id=done.id, result={})
    pipe.say(method="notifications/progress", params={"progressToken": done.id, "progress": 1})
    assert heard == []


async def test_a_token_that_the_caller_did_not_send_is_not_added() -> None:
    """Research A.4."""
    pipe = Pipe()
    call(pipe, {"arguments": {"progressToken": 5}})
    assert pipe.sent[0]["params"] == {"arguments": {"progressToken": 5}}


async def test_a_cancelled_call_is_completed_here_and_a_late_answer_is_no_harm() -> None:
    """MCP, basic/utilities/cancellation: no response is sent."""
    pipe = Pipe()
    cancelled = call(pipe, {})
    pipe.link.cancel(cancelled, "why")
    assert cancelled.future.cancelled()
    assert pipe.sent[1] == {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": cancelled.id, "reason": "why"},
    }
    pipe.say(id=cancelled.id, result={})
    pipe.link.cancel(cancelled, "again")
    assert len(pipe.sent) == 2


@pytest.mark.parametrize("error", [BrokenPipeError, BlockingIOError])
async def test_a_call_can_be_cancelled_though_its_child_takes_no_input(
    error: type[OSError],
) -> None:
    """Ours: between a child's death and the news of it, cancelling is no fault of the caller."""
    pipe = Pipe()
    cancelled = call(pipe, {})

    def refuse(line: bytes) -> None:
        raise error

    pipe.link.write = refuse
    pipe.link.cancel(cancelled, "why")
    assert cancelled.future.cancelled()
    assert pipe.link.in_flight == 0


async def test_a_closed_link_fails_what_is_in_flight_and_all_that_comes() -> None:
    """Design 3.3: in the same tick."""
    pipe = Pipe()
    waiting = call(pipe, {})
    error = ChildDied("s", "gone", ())
    assert pipe.link.close(error) == 1
    with pytest.raises(ChildDied):
        await waiting.future
    with pytest.raises(ChildDied):
        call(pipe, {})
    assert pipe.link.close(error) == 0


async def test_a_call_that_nobody_waits_for_may_fail_unseen() -> None:
    """Ours: who left before the child died is no error that the log should tell of."""
    pipe = Pipe()
    call(pipe, {})
    pipe.link.close(ChildDied("s", "gone", ()))
    gc.collect()
    # What the loop reports of lost errors fails a test.
    await anyio.lowlevel.checkpoint()


async def test_pings_of_the_child_are_answered_and_other_requests_refused() -> None:
    """MCP, basic/utilities/ping; without a call in flight there is nobody to ask."""
    pipe = Pipe()
    pipe.say(id="p", method="ping")
    pipe.say(id=1, method="sampling/createMessage", params={})
    assert pipe.sent[0] == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert (pipe.sent[1]["id"], pipe.sent[1]["error"]["code"]) == (1, -32000)


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":99,"result":{}}',
        b'{"jsonrpc":"2.0","id":"1","result":{}}',
        b'{"jsonrpc":"2.0","id":-1,"result":{}}',
        b'{"jsonrpc":"2.0","id":null,"result":{}}',
        b"not json",
    ],
)
async def test_answers_to_nothing_are_counted_and_reach_nobody(line: bytes) -> None:
    """Research B.8: forged replies."""
    pipe = Pipe()
    waiting = call(pipe, {})
    pipe.link.feed(line)
    assert not waiting.future.done()
    assert pipe.link.counters.junk_lines == 1


async def test_an_answer_with_half_an_emoji_arrives_with_a_replacement_for_it() -> None:
    """RFC 8259, section 8.2; JavaScript cuts strings inside surrogate pairs."""
    pipe = Pipe()
    waiting = call(pipe, {})
    text = rb"\ud800 \ud83d\ude00 \\ud800 \udc00"
    line = b'{"jsonrpc":"2.0","id":%d,"result":{"t":"%s"}}' % (waiting.id, text)
    pipe.link.feed(line)
    result = json.loads(bytes((await waiting.future).result or b""))
    assert result == {"t": "\ufffd \U0001f600 \\ud800 \ufffd"}


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":' + b"1" * 5000 + b',"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 100_000,
    ],
)
async def test_a_hostile_line_harms_no_other(line: bytes) -> None:
    """Ours: nothing that a child prints may reach the reader as an exception."""
    pipe = Pipe()
    waiting = call(pipe, {})
    pipe.link.feed(line)
    pipe.say(id=waiting.id, result={})
    assert (await waiting.future).result is not None


async def test_other_notifications_are_told_and_blank_lines_are_nothing() -> None:
    """Ours."""
    pipe = Pipe()
    pipe.link.feed(b"  ")
    pipe.say(method="notifications/message", params={"level": "info"})
    pipe.say(method="notifications/cancelled", params={"requestId": 1})
    assert [notice.method for notice in pipe.notices] == ["notifications/message"]
    assert pipe.link.counters.junk_lines == 0


async def test_waiting_for_idle_ends_with_the_last_call() -> None:
    """Ours: draining is waiting."""
    pipe = Pipe()
    last = call(pipe, {})
    idle = asyncio.ensure_future(pipe.link.wait_idle())
    await anyio.lowlevel.checkpoint()
    assert not idle.done()
    pipe.say(id=last.id, result={})
    with anyio.fail_after(PATIENCE_S):
        await idle
