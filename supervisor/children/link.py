"""Our one connection to one child: ids, progress tokens, cancellation, requests from the child.

Callers' ids and tokens never reach the child, so callers cannot collide; the child's own ids never
leave its `ChildRequest`. Above: `child` and the relay, which hand in params as bytes. Below:
`process`, which hands in lines.
"""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from supervisor.children import reasons
from supervisor.children.asking import METHOD_NOT_FOUND, NOTIFY, ChildRequest, Requests
from supervisor.children.call import Answer, Call, Notice, Owner
from supervisor.children.wire import (
    Envelope,
    encode,
    mend,
    notification_line,
    own_number,
    parse_envelope,
    parse_fields,
    parse_object,
    request_line,
    result_message,
    with_member,
    with_own_token,
)
from supervisor.metering.latency import Latencies

SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
"""In `_meta` of what comes on a stream: the id of the request that opened it."""
CONNECTION_CLOSED = b"-32000"
LOOKED_THROUGH = 8 * 1024
"""Bytes of a result that are looked through for its `isError`; of a longer one only the end is."""
TAIL = 256
"""Servers write the member last, or nearly."""
_IS_ERROR = re.compile(rb'"isError"\s*:\s*true')
ESCAPE = b"\\u"
"""Only what is escaped can be mended; other junk is not looked at again."""


@dataclass(slots=True)
class LinkCounters:
    """What went over the link so far."""

    calls: int = 0
    answered: int = 0
    """Also those answered with an error."""
    errors: int = 0
    """Answers that are one, and results of tools that say so."""
    junk_lines: int = 0


@dataclass(eq=False, slots=True)
class Link:
    """Multiplexes calls over a child's pipes."""

    write: Callable[[bytes], None]
    on_notice: Callable[[Notice], None]
    counters: LinkCounters = field(default_factory=LinkCounters)
    junk_sample: str = ""
    screen: Callable[[msgspec.Raw], msgspec.Raw] | None = None
    """Takes what is not approved out of an answer to `tools/list`."""
    latencies: Latencies | None = None
    """Where the durations of answered tool calls are counted."""
    idle_since: float = field(default_factory=time.monotonic)
    """When the last call in flight ended, on the monotonic clock."""
    ending: Exception | None = None
    """Why the child was told to end; what its calls fail with that it closes on the way."""
    resident: Owner | None = None
    """Whose alone the child is; None: it serves whoever calls."""
    on_notify: Callable[[ChildRequest], None] | None = None
    """Told when the child asks to send a message; None: it may not."""
    _pending: dict[int, Call] = field(default_factory=dict[int, Call])
    _standing: dict[int, Call] = field(default_factory=dict[int, Call])
    _requests: Requests = field(init=False)
    _last_id: int = 0
    _closed: Exception | None = None
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        self._idle.set()
        self._requests = Requests(self.write)

    @property
    def in_flight(self) -> int:
        """Calls that have no answer yet."""
        return len(self._pending)

    async def wait_idle(self) -> None:
        """Return when no call is in flight."""
        await self._idle.wait()

    def calls_in_flight(self) -> tuple[Call, ...]:
        """Return the calls in flight, oldest first."""
        return tuple(self._pending.values())

    def call(
        self,
        method: str,
        params: bytes | msgspec.Raw | None,
        *,
        on_progress: Callable[[Notice], None] | None = None,
        owner: Owner | None = None,
    ) -> Call:
        """Send a request and return it as a call in flight.

        Raises:
            Exception: the link is closed (the error it was closed with).
            BrokenPipeError, BlockingIOError: the child does not take input any more.
        """
        call = self._send(method, params)
        call.owner, call.on_progress = owner, on_progress
        self._pending[call.id] = call
        self._idle.clear()
        self.counters.calls += 1
        return call

    def stand(
        self,
        method: str,
        params: bytes | msgspec.Raw | None,
        on_notice: Callable[[Notice], None],
    ) -> Call:
        """Send a request that stands for a stream of notifications until it is cancelled.

        It is no call in flight: neither counted nor waited for. Raises as `call` does.
        """
        call = self._send(method, params)
        call.on_notice = on_notice
        self._standing[call.id] = call
        return call

    def _send(self, method: str, params: bytes | msgspec.Raw | None) -> Call:
        if self._closed is not None:
            raise self._closed
        self._last_id = number = self._last_id + 1
        token, sent = with_own_token(params, number)
        self.write(request_line(number, method, sent))
        call = Call(number, method, sent, time.monotonic(), self._loop.create_future())
        call.progress_token = token
        return call

    def go_on(self, call: Call, params: bytes | msgspec.Raw | None) -> None:
        """Send a call in flight once more, under another id, as its answer asked for.

        Nothing happens when it has ended. Raises OSError when the child takes no input.
        """
        if self._pending.pop(call.id, None) is None:
            return
        self._last_id += 1
        call.id, call.sent_at = self._last_id, time.monotonic()
        _, call.params = with_own_token(params, call.id)
        self._pending[call.id] = call
        self.write(request_line(call.id, call.method, call.params))

    def notify(self, method: str, params: bytes | msgspec.Raw | None) -> None:
        """Send a notification; dropped when the child is gone, or reads nothing any more."""
        if self._closed is None:
            # Nobody waits for it, and those whose calls the child has are told by its end.
            with suppress(BrokenPipeError, BlockingIOError):
                self.write(notification_line(method, params))

    def cancel(self, call: Call, reason: str) -> None:
        """Tell the child to stop, and complete the call here: it will never be answered.

        Source: MCP, basic/utilities/cancellation: the receiver sends no response.
        """
        if self._standing.pop(call.id, None) is None and self._forget(call.id) is None:
            return
        call.cancel()
        self.notify("notifications/cancelled", encode({"requestId": call.id, "reason": reason}))

    def close(self, error: Exception) -> int:
        """Fail every call in flight with this error, and every later one; return how many."""
        if self._closed is not None:
            return 0
        self._closed = error
        failed = [call for call in self._pending.values() if not call.future.done()]
        self._pending.clear()
        standing = tuple(self._standing.values())
        self._standing.clear()
        self._idle.set()
        for call in (*failed, *standing):
            call.fail(error)
        self._requests.withdraw_all(str(error))
        return len(failed)

    def feed(self, line: bytes) -> None:
        """Take one line from the child."""
        envelope = parse_envelope(line)
        if envelope is None and ESCAPE in line:
            envelope = parse_envelope(mend(line))
        if envelope is None:
            self._junk(line)
        elif envelope.method is None:
            self._answered(envelope, line)
        elif envelope.id is None:
            self._noticed(envelope.method, envelope.params)
        else:
            self._asked(envelope.id, envelope.method, envelope.params)

    def _answered(self, envelope: Envelope, line: bytes) -> None:
        call_id = own_number(envelope.id)
        call, answer = self._pending.get(call_id), Answer(envelope.result, envelope.error)
        if call is None or (answer.result is None and answer.error is None):
            self._answered_none(call_id, answer, line)
            return
        if answer.error is not None and self.ending is not None and _says_closed(answer.error):
            self._forget(call_id)
            self.counters.errors += 1
            if not call.future.done():
                call.fail(self.ending)
            return
        if self.screen is not None and call.method == "tools/list" and answer.result is not None:
            answer = Answer(self.screen(answer.result))
        looked_at = answer if call.on_answer is None else call.on_answer(answer)
        if looked_at is not None:
            self.settle(call, looked_at)

    def _answered_none(self, call_id: int, answer: Answer, line: bytes) -> None:
        """Take the answer to what is no call in flight, or one that says nothing."""
        standing = self._standing.pop(call_id, None)
        if standing is None:
            self._forget(call_id)
            self._junk(line)
        elif not standing.future.done():
            standing.settle(answer)

    def settle(self, call: Call, answer: Answer) -> None:
        """End a call in flight with this answer; nothing happens when it has ended already."""
        if self._forget(call.id) is None or call.future.done():
            return
        self.counters.answered += 1
        if call.method == "tools/call":
            call.failed = answer.error is not None or _says_error(answer.result)
            if self.latencies is not None:
                self.latencies.record(time.monotonic() - call.sent_at)
        else:
            call.failed = answer.error is not None
        self.counters.errors += call.failed
        call.settle(answer)

    def _forget(self, call_id: int) -> Call | None:
        call = self._pending.pop(call_id, None)
        if not self._pending:
            self.idle_since = time.monotonic()
            self._idle.set()
        return call

    def _noticed(self, method: str, params: msgspec.Raw | None) -> None:
        if method == "notifications/progress":
            self._progressed(params)
        elif method == "notifications/cancelled":
            # A child may only cancel its own requests.
            request_id = parse_fields(params).request_id
            self._requests.withdraw(bytes(request_id or b""), "the server cancelled it")
        elif (stream := _stream(params)) is not None:
            self._streamed(stream, method, params)
        elif method == "notifications/message":
            notice = Notice(method, params)
            owner, call = reasons.of_log(self.calls_in_flight(), self.resident)
            if owner is None:
                self.on_notice(notice)
            else:
                owner.hear(notice, call)
        else:
            self.on_notice(Notice(method, params))

    def _streamed(self, stream: msgspec.Raw, method: str, params: msgspec.Raw | None) -> None:
        """Hand on a frame without its mark; that of a stream that was given up is nobody's."""
        call = self._standing.get(own_number(stream))
        if call is not None and call.on_notice is not None:
            meta = parse_object(parse_object(params)["_meta"])
            del meta[SUBSCRIPTION_KEY]
            call.on_notice(Notice(method, with_member(params, "_meta", meta)))

    def _progressed(self, params: msgspec.Raw | None) -> None:
        call = self._pending.get(own_number(parse_fields(params).progress_token))
        if call is not None and call.on_progress is not None and call.progress_token is not None:
            restored = with_member(params, "progressToken", call.progress_token)
            call.on_progress(Notice("notifications/progress", restored))

    def _asked(self, request_id: msgspec.Raw, method: str, params: msgspec.Raw | None) -> None:
        if method == "ping":
            self.write(result_message(request_id, b"{}") + b"\n")
            return
        request = self._requests.open(request_id, method, params)
        if request is None:
            return
        if method == NOTIFY and self.on_notify is not None:
            self.on_notify(request)
            return
        owner, call = reasons.of_request(self.calls_in_flight(), self.resident)
        if owner is None:
            request.refuse(reasons.why_nobody(self.calls_in_flight()))
        elif not owner.declares(request):
            why = f"The client that is served now declared no capability for {method}."
            request.refuse(why, METHOD_NOT_FOUND)
        else:
            owner.ask(request, call)

    def _junk(self, line: bytes) -> None:
        if not line.strip():
            return
        self.counters.junk_lines += 1
        if not self.junk_sample:
            self.junk_sample = line[:200].decode("utf-8", "replace")


def _says_error(result: msgspec.Raw | None) -> bool:
    """Return whether a tool failed in its result, by its bytes: it is not parsed for that.

    Inside a JSON string the quotes would be escaped, so that no text can look like the member.
    """
    if result is None:
        return False
    text = memoryview(result)
    return _IS_ERROR.search(text if len(text) <= LOOKED_THROUGH else text[-TAIL:]) is not None


def _says_closed(error: msgspec.Raw | None) -> bool:
    """Return whether an error is what the SDKs' servers answer with once their input has ended."""
    return bytes(parse_object(error).get("code", b"")) == CONNECTION_CLOSED


def _stream(params: msgspec.Raw | None) -> msgspec.Raw | None:
    """Return the id of the request whose stream a notification belongs to, if it does."""
    if params is None or SUBSCRIPTION_KEY.encode() not in bytes(params):
        return None
    return (parse_fields(params).meta or {}).get(SUBSCRIPTION_KEY)
