"""One call over HTTP: plain JSON when nothing came before the answer, else a stream of events."""

import asyncio
from collections import deque

import anyio
import msgspec

from gateway.relay.http import (
    Receive,
    Send,
    end_stream,
    send_body,
    send_comment,
    send_event,
    start_stream,
)
from gateway.relay.refusal import Refusal, from_supervisor, modern_status
from supervisor.children.child import Child
from supervisor.children.era import to_modern_result
from supervisor.children.link import Answer, Call, Link, Notice
from supervisor.children.wire import (
    error_message,
    notification_line,
    parse_object,
    raw_error_message,
)
from supervisor.children.wire import result_message as result_response
from supervisor.errors import CallTimedOut, ChildDied
from supervisor.spec import Era

KEEP_ALIVE_S = 15.0
"""Proxies close connections that are silent for 30 to 60 seconds."""
MAX_CODE_DIGITS = 10
UNWATCHED_S = 0.05
"""Most calls are answered sooner; to watch for the end of their connection would cost them most."""
WAITING_MESSAGES = 256
"""What a slow reader has not taken; more is dropped, its call goes on."""


class Asked(msgspec.Struct, frozen=True):
    """Who waits for the answer, and in which form."""

    id: bytes
    method: str
    era: Era
    timeout_s: float
    keep_alive_s: float = KEEP_ALIVE_S
    """After so long a silence comes a comment, and begins the stream if nothing has yet."""


class Exchange:
    """Carries one call's progress and answer to one HTTP client."""

    def __init__(self, asked: Asked, child: Child, send: Send) -> None:
        self.child = child
        self._asked = asked
        self._send = send
        self._messages: deque[bytes] = deque()
        self._woken: asyncio.Future[bool] | None = None
        self._watcher: asyncio.Future[None] | None = None
        self._gone = False
        self._streaming = False
        self._moved = False
        self._held = 0
        self._early: Answer | None = None

    def on_progress(self, notice: Notice) -> None:
        """Take a progress notification from the link."""
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

    async def run(self, call: Call, receive: Receive, *, cancel_on_disconnect: bool) -> None:
        """Answer the client. A client that goes away cancels the call if its era says so."""
        call.future.add_done_callback(self._wake)
        try:
            answer = await self._wait(call, receive, ends_when_gone=cancel_on_disconnect)
            if answer is not None:
                await self._answer(answer)
        except (ChildDied, CallTimedOut) as error:
            await self.refuse(from_supervisor(error))
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

    async def _wait(self, call: Call, receive: Receive, *, ends_when_gone: bool) -> Answer | None:
        """Return the answer, streaming what comes before it; None when the client is gone.

        Raises:
            CallTimedOut: nothing came for the server's call time-out, not even progress.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._asked.timeout_s
        while not call.future.done() and self._early is None:
            if self._gone and ends_when_gone:
                return None
            if self._messages:
                self._watch(receive)
                await self._stream(self._messages.popleft())
            elif not await self._woken_before(deadline):
                if self._watcher is not None and clock() < deadline:
                    await self._keep_alive()
                self._watch(receive)
            if self._moved or self._held:
                self._moved, deadline = False, clock() + self._asked.timeout_s
            if clock() >= deadline and not call.future.done():
                limit = self._asked.timeout_s
                raise CallTimedOut(self.child.spec.name, self._asked.method, limit)
        while self._messages:
            await self._stream(self._messages.popleft())
        return self._early or call.future.result()

    async def _woken_before(self, deadline: float) -> bool:
        """Wait; True when something came, False when it is time to look after the client."""
        loop = asyncio.get_running_loop()
        self._woken = woken = loop.create_future()
        patience_s = UNWATCHED_S if self._watcher is None else self._asked.keep_alive_s
        timer = loop.call_at(min(loop.time() + patience_s, deadline), _settle, woken)
        try:
            return await woken
        finally:
            timer.cancel()

    def _wake(self, _: object = None) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(True)

    def _watch(self, receive: Receive) -> None:
        """Notice from now on that the client goes away."""
        if self._watcher is None:
            self._watcher = asyncio.ensure_future(self._until_gone(receive))

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            await anyio.lowlevel.checkpoint()
        self._gone = True
        self._wake()

    async def _stream(self, message: bytes) -> None:
        await self._begin_stream()
        await send_event(self._send, message)

    async def _keep_alive(self) -> None:
        await self._begin_stream()
        await send_comment(self._send)

    async def _begin_stream(self) -> None:
        if not self._streaming:
            self._streaming = True
            await start_stream(self._send)

    async def _answer(self, answer: Answer) -> None:
        asked = self._asked
        if answer.error is not None:
            message = raw_error_message(asked.id, answer.error)
            await self._finish(message, _code(answer))
            return
        result = answer.result
        assert result is not None
        if asked.era is Era.MODERN and self.child.handshake.era is Era.HANDSHAKE:
            await self._finish(
                result_response(asked.id, to_modern_result(asked.method, result)), None
            )
        else:
            await self._finish(result_response(asked.id, result), None)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with an error of our own."""
        message = error_message(self._asked.id, refusal.code, refusal.message, refusal.data)
        await self._finish(message, refusal.code)

    async def _finish(self, message: bytes, code: int | None) -> None:
        if self._streaming:
            await send_event(self._send, message)
            await end_stream(self._send)
            return
        modern_error = self._asked.era is Era.MODERN and code is not None
        await send_body(self._send, modern_status(code or 0) if modern_error else 200, message)

    async def _end_silently(self) -> None:
        if self._streaming:
            await end_stream(self._send)
        else:
            await send_body(self._send, 202)


class Sent(msgspec.Struct, frozen=True):
    """A request that has no answer yet."""

    link: Link
    call: Call
    exchange: Exchange


def _settle(woken: "asyncio.Future[bool]") -> None:
    if not woken.done():
        woken.set_result(False)


def _code(answer: Answer) -> int:
    code = parse_object(answer.error).get("code", b"")
    text = bytes(code)
    return int(text) if len(text) <= MAX_CODE_DIGITS and text.lstrip(b"-").isdigit() else 0
