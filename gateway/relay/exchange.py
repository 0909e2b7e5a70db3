"""One call over HTTP: plain JSON when nothing came before the answer, else a stream of events."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

import anyio
import msgspec
from msgspec.structs import replace

from gateway.domain.audit import Outcome
from gateway.relay.answering import Request
from gateway.relay.ended import ended
from gateway.relay.http import (
    Receive,
    Send,
    end_stream,
    send_body,
    send_comment,
    send_event,
    start_stream,
)
from gateway.relay.refusal import from_supervisor, modern_status
from gateway.relay.request import Posted
from gateway.relay.shown import shown
from gateway.relay.trace_context import TraceContext
from supervisor.children.call import Answer, Call, Notice
from supervisor.children.child import Child
from supervisor.children.era import to_modern_result
from supervisor.children.wire import (
    error_message,
    notification_line,
    parse_object,
    raw_error_message,
    result_message,
)
from supervisor.errors import CallTimedOut, ChildDied
from supervisor.spec import Era

KEEP_ALIVE_S = 15.0
"""Proxies close connections that are silent for 30 to 60 seconds."""
MAX_CODE_DIGITS = 10
WAITING_MESSAGES = 256
"""What a slow reader has not taken; more is dropped, its call goes on."""


class Exchange:
    """Carries one call's progress and answer to one HTTP client."""

    def __init__(
        self,
        request: Request,
        posted: Posted,
        child: Child,
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        """After `keep_alive_s` of silence comes a comment, and begins the stream if need be."""
        self.child = child
        self._request = request
        self._posted = posted
        self._keep_alive_s = keep_alive_s
        self.on_news: Callable[[], None] | None = None
        """Told instead of `run` that there is something to say, until it is connected."""
        self.place: TraceContext | None = None
        """In a trace, which its server was told."""
        self._call: Call | None = None
        self._loop = asyncio.get_running_loop()
        self._messages: deque[bytes] = deque()
        self._woken: asyncio.Future[bool] | None = None
        self._watcher: asyncio.Future[None] | None = None
        self._gone = False
        self._streaming = False
        self._moved = False
        self._held = 0
        self._early: Answer | None = None
        self._timed_out = False

    @property
    def call(self) -> Call:
        """The call that it carries; there is one once it was sent."""
        assert self._call is not None
        return self._call

    def carry(self, call: Call) -> None:
        """Take what comes of a call from now on."""
        self._call = call
        call.on_progress = self._on_progress
        call.on_end = self._wake

    def connect(self, receive: Receive, send: Send) -> None:
        """Say the rest over this connection."""
        self.on_news = None
        self._request = replace(self._request, receive=receive, send=send)

    def answer(self) -> tuple[int, bytes] | None:
        """Return status and body, and report the call, when nothing else is to be said.

        None: it has no answer yet, or more to say than one; `run` does that.
        """
        call = self.call
        future = call.future
        if self._messages or self._early is not None or not future.done():
            return None
        if future.cancelled() or future.exception() is not None:
            return None
        message, code = self._in_words(future.result())
        self._report(call)
        return self._status(code), message

    def _on_progress(self, notice: Notice) -> None:
        self._moved = True
        self.push(notification_line(notice.method, notice.params).rstrip(b"\n"))

    def push(self, message: bytes) -> bool:
        """Put a message before the answer; False when its reader is gone or does not keep up."""
        if self._gone or len(self._messages) >= WAITING_MESSAGES:
            return False
        self._messages.append(message)
        self._wake()
        return True

    def hold(self) -> None:
        """Let no time count against the call: its own caller is asked something."""
        self._held += 1

    def release(self) -> None:
        """Let the call's time begin anew: its caller was asked, and has answered or never will."""
        self._held -= 1
        self._moved = True

    def answer_early(self, result: bytes) -> None:
        """Answer the client now, with this; the call goes on, and is none of ours any more."""
        self._early = Answer(result=msgspec.Raw(result))
        self._wake()

    async def run(self, *, cancel_on_disconnect: bool) -> None:
        """Answer the client. A client that goes away cancels the call if its era says so."""
        call = self.call
        try:
            answer = await self._outcome(call, ends_when_gone=cancel_on_disconnect)
            if answer is not None:
                await self._finish(*self._in_words(answer))
        except (ChildDied, CallTimedOut) as error:
            refusal = from_supervisor(error)
            message = error_message(self._posted.id, refusal.code, refusal.message, refusal.data)
            await self._finish(message, refusal.code)
        except asyncio.CancelledError:
            if not call.future.cancelled():
                raise
            # The caller cancelled it by a notification: MCP says it gets no response.
            await self._end_silently()
        finally:
            if self._watcher is not None:
                self._watcher.cancel()
            if self._early is None and not call.future.done():
                self.child.link.cancel(call, "the caller went away")
            self._report(call)

    def _report(self, call: Call) -> None:
        request, size = self._request, 0
        outcome = Outcome.CANCELLED
        if self._early is not None:
            outcome = Outcome.ASKED
        elif self._timed_out:
            outcome = Outcome.TIMED_OUT
        elif not call.future.cancelled():
            outcome, size = _outcome_of(call)
        request.report(
            ended(
                request.caller,
                request.headers,
                self._posted,
                self.child.spec.name,
                outcome,
                tools=self.child.tools,
                answered_bytes=size,
                took_s=time.monotonic() - call.sent_at,
                place=self.place,
            )
        )

    async def _outcome(self, call: Call, *, ends_when_gone: bool) -> Answer | None:
        """Return the answer, streaming what comes before it; None when the client is gone.

        Raises:
            CallTimedOut: nothing came for the server's call time-out, not even progress.
        """
        clock, limit_s = self._loop.time, self.child.spec.call_timeout_s
        deadline = clock() + limit_s
        while not call.future.done() and self._early is None:
            if self._gone and ends_when_gone:
                return None
            if self._messages:
                self._watch()
                await self._stream(self._messages.popleft())
            elif not await self._news(deadline):
                if self._watcher is not None and clock() < deadline:
                    await self._keep_alive()
                self._watch()
            if call.future.done():
                break
            if self._moved or self._held:
                self._moved, deadline = False, clock() + limit_s
            if clock() >= deadline:
                self._timed_out = True
                raise CallTimedOut(self.child.spec.name, self._posted.method, limit_s)
        while self._messages:
            await self._stream(self._messages.popleft())
        return self._early or call.future.result()

    def _news(self, deadline: float) -> "asyncio.Future[bool]":
        """Return what becomes True when something comes, False when the client is to be seen to."""
        self._woken = woken = self._loop.create_future()
        if self._watcher is None:
            self._request.patience.limit(woken)
        else:
            silent_at = self._loop.time() + self._keep_alive_s
            timer = self._loop.call_at(min(silent_at, deadline), _settle, woken)
            woken.add_done_callback(lambda _: timer.cancel())
        return woken

    def _wake(self) -> None:
        if self.on_news is not None:
            self.on_news()
        elif self._woken is not None and not self._woken.done():
            self._woken.set_result(True)

    def _watch(self) -> None:
        """Notice from now on that the client goes away."""
        if self._watcher is None:
            self._watcher = asyncio.ensure_future(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            await anyio.lowlevel.checkpoint()
        self._gone = True
        self._wake()

    async def _stream(self, message: bytes) -> None:
        await self._begin_stream()
        await send_event(self._request.send, message)

    async def _keep_alive(self) -> None:
        await self._begin_stream()
        await send_comment(self._request.send)

    async def _begin_stream(self) -> None:
        if not self._streaming:
            self._streaming = True
            await start_stream(self._request.send)

    def _in_words(self, answer: Answer) -> tuple[bytes, int | None]:
        """Return the response, and its code if it is an error."""
        posted, result = self._posted, answer.result
        if answer.error is not None:
            return raw_error_message(posted.id, answer.error), _code(answer.error)
        assert result is not None
        if posted.method == "tools/list":
            result = shown(self._request.caller.view, self.child.spec.name, result)
        if posted.era is Era.MODERN and self.child.handshake.era is Era.HANDSHAKE:
            return result_message(posted.id, to_modern_result(posted.method, result)), None
        return result_message(posted.id, result), None

    def _finish(self, message: bytes, error_code: int | None) -> Awaitable[None]:
        if self._streaming:
            return self._end_stream(message)
        return send_body(self._request.send, self._status(error_code), message)

    def _status(self, error_code: int | None) -> int:
        if error_code is None or self._posted.era is not Era.MODERN:
            return 200
        return modern_status(error_code)

    async def _end_stream(self, message: bytes) -> None:
        await send_event(self._request.send, message)
        await end_stream(self._request.send)

    async def _end_silently(self) -> None:
        if self._streaming:
            await end_stream(self._request.send)
        else:
            await send_body(self._request.send, 202)


def _outcome_of(call: Call) -> tuple[Outcome, int]:
    """Return how a call ended that was not cancelled, and the bytes of its answer."""
    if call.future.exception() is not None:
        return Outcome.DIED, 0
    answer = call.future.result()
    if answer.error is not None:
        return Outcome.ERROR, len(memoryview(answer.error))
    size = 0 if answer.result is None else len(memoryview(answer.result))
    return Outcome.TOOL_ERROR if call.failed else Outcome.OK, size


def _settle(woken: "asyncio.Future[bool]") -> None:
    if not woken.done():
        woken.set_result(False)


def _code(error: msgspec.Raw) -> int:
    text = bytes(parse_object(error).get("code", b""))
    return int(text) if len(text) <= MAX_CODE_DIGITS and text.lstrip(b"-").isdigit() else 0
