"""Calls of servers' tools, each a task of its own, so that one can outlive the request it came by.

Whoever asked waits for a while; a call that takes longer goes on under a handle, which is its
caller's alone. Nothing is ever called twice. Above: `invoke`, `long_calls`, the page of a tool.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar, cast

import anyio
import msgspec
from anyio.abc import TaskGroup

from gateway.domain.ids import new_id
from supervisor.children.call import Notice
from supervisor.children.wire import decode
from supervisor.errors import SupervisorError

log = logging.getLogger(__name__)

KEEP_S = 3600.0
"""An answer waits for its caller this long."""
MAX_RUNNING = 100
"""Of one caller, at once."""
MAX_ENDED = 16
"""Answers that wait for one caller; the oldest makes room."""
LONGEST_S = 24 * 3600.0
"""Also a call that goes on telling of progress ends."""
MESSAGE_CHARACTERS = 500

R = TypeVar("R")

Ask = Callable[[Callable[[Notice], None]], Awaitable[R]]
"""Carries a call out, and tells of its progress meanwhile."""


class NoSuchCall(Exception):
    """No call of this caller has this handle."""

    def __init__(self, handle: str) -> None:
        super().__init__(
            f"There is no call {handle!r} of yours; answers are kept for an hour and calls end"
            " with the gateway."
        )


class TooManyCalls(Exception):
    """A caller has as many calls under way as one may have."""

    def __init__(self) -> None:
        super().__init__(
            f"{MAX_RUNNING} of your calls are under way; wait for one with get_call or end one"
            " with cancel_call."
        )


class CallEnded(SupervisorError):
    """A call was ended before its answer came; it may or may not have taken effect."""

    def __init__(self, tool: str, reason: str) -> None:
        super().__init__(f"The call of {tool} was ended: {reason}.")
        self.tool = tool
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Progress:
    """What a server told of a call last."""

    progress: float
    total: float | None
    message: str | None


@dataclass(eq=False, slots=True)
class LongCall(Generic[R]):
    """One call, under way or ended."""

    owner: str
    tool: str
    started_at: float
    scope: anyio.CancelScope
    handle: str = field(default_factory=lambda: new_id("call"))
    progress: Progress | None = None
    ended_at: float | None = None
    handed_over: bool = False
    """True once its caller was given the handle instead of an answer."""
    why_ended: str = f"it took longer than {LONGEST_S / 3600:g} hours"
    _result: R | None = None
    _failure: Exception | None = None
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def answer(self) -> R:
        """Return the answer of a call that has ended, or raise what it failed with."""
        if self._failure is not None:
            raise self._failure
        assert self._result is not None
        return self._result

    async def wait(self, seconds: float) -> bool:
        """Return True when the call has ended, False when it goes on after this long."""
        with anyio.move_on_after(seconds):
            while self.ended_at is None:
                await self._changed.wait()
        return self.ended_at is not None

    def note(self, notice: Notice) -> None:
        """Take progress from the server; what is none is dropped."""
        try:
            told = decode(cast("bytes", notice.params), type=dict[str, Any])
            total = told.get("total")
            message = told.get("message")
            self.progress = Progress(
                float(told["progress"]),
                None if total is None else float(total),
                None if message is None else str(message)[:MESSAGE_CHARACTERS],
            )
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
            return

    def end(self, now: float, result: R | None, failure: Exception | None) -> None:
        """Note how it ended, and wake who waits."""
        self._result, self._failure, self.ended_at = result, failure, now
        self._changed.set()


class Calls:
    """All calls under way, and the answers that wait for their callers; while it is entered."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._calls: dict[str, LongCall[Any]] = {}
        self._group: TaskGroup = anyio.create_task_group()
        self._idle = anyio.Event()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        self.end_all("the gateway stops")
        return await self._group.__aexit__(*error)

    def start(self, owner: str, tool: str, ask: Ask[R]) -> LongCall[R]:
        """Begin a call. Raises TooManyCalls."""
        if sum(call.ended_at is None for call in self._of(owner)) >= MAX_RUNNING:
            raise TooManyCalls
        scope = anyio.CancelScope(deadline=anyio.current_time() + LONGEST_S)
        call: LongCall[R] = LongCall(owner, tool, self._now(), scope)
        self._calls[call.handle] = call
        self._group.start_soon(self._run, call, ask, name=f"call {call.handle}")
        return call

    def find(self, owner: str, handle: str) -> LongCall[Any]:
        """Return a caller's call. Raises NoSuchCall."""
        self._drop_expired()
        call = self._calls.get(handle)
        # To anybody else it is not there, whatever the handle.
        if call is None or call.owner != owner or not call.handed_over:
            raise NoSuchCall(handle)
        return call

    def under_way(self, owner: str, tool: str) -> tuple[LongCall[Any], ...]:
        """Return an owner's calls of a tool that go on under handles, the oldest first."""
        calls = (call for call in self._of(owner) if call.handed_over and call.tool == tool)
        return tuple(call for call in calls if call.ended_at is None)

    def hand_over(self, call: LongCall[Any]) -> None:
        """Let a call go on under its handle."""
        call.handed_over = True

    def cancel(self, call: LongCall[Any], reason: str) -> None:
        """End a call that is under way; its server is told."""
        call.why_ended = reason
        call.scope.cancel()

    def drop(self, call: LongCall[Any]) -> None:
        """Drop a call whose caller has its answer, or went away."""
        self._calls.pop(call.handle, None)

    def forget(self, caller: str) -> None:
        """End the calls of a token that is not valid any more, and drop their answers."""
        for call in tuple(self._calls.values()):
            # An owner is a kind and an id; ids are told apart by themselves.
            if call.owner.partition(":")[2] != caller:
                continue
            if call.ended_at is None:
                self.cancel(call, "its token is not valid any more")
            else:
                self.drop(call)

    async def drain(self, seconds: float) -> None:
        """Return when no call is under way, or after this long."""
        with anyio.move_on_after(seconds):
            while any(call.ended_at is None for call in self._calls.values()):
                self._idle = anyio.Event()
                await self._idle.wait()

    def end_all(self, reason: str) -> None:
        """End every call that is under way; whoever waits is told why."""
        for call in self._calls.values():
            if call.ended_at is None:
                log.warning("The call of %s is ended: %s", call.tool, reason)
                self.cancel(call, reason)

    async def _run(self, call: LongCall[R], ask: Ask[R]) -> None:
        result: R | None = None
        failure: Exception = CallEnded(call.tool, call.why_ended)
        try:
            with call.scope:
                result = await ask(call.note)
            failure = CallEnded(call.tool, call.why_ended)
        except Exception as error:  # noqa: BLE001 - carried to whoever asks for the answer
            failure = error
        finally:
            call.end(self._now(), result, None if result is not None else failure)
            self._idle.set()
            self._drop_oldest(call.owner)

    def _of(self, owner: str) -> list[LongCall[Any]]:
        self._drop_expired()
        return [call for call in self._calls.values() if call.owner == owner]

    def _drop_expired(self) -> None:
        now = self._now()
        for call in tuple(self._calls.values()):
            if call.ended_at is not None and now - call.ended_at >= KEEP_S:
                self.drop(call)

    def _drop_oldest(self, owner: str) -> None:
        ended = [call for call in self._of(owner) if call.ended_at is not None and call.handed_over]
        for call in ended[: max(0, len(ended) - MAX_ENDED)]:
            self.drop(call)
