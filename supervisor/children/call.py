"""A call on its way: who made it, what came before its answer, and the answer itself.

Made by `link`, which sends and answers it; looked at by whoever waits for it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from supervisor.children.asking import ChildRequest


class Answer(msgspec.Struct, frozen=True):
    """What a child answered: exactly one of the two is set, as undecoded JSON."""

    result: msgspec.Raw | None = None
    error: msgspec.Raw | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification, params undecoded."""

    method: str
    params: msgspec.Raw | bytes | None
    tenant: str | None = None
    """The key of the one whose instance says it, and who alone is told; None: whoever listens."""


class Owner(Protocol):
    """Who made a call, and can be asked something by the child until it is answered."""

    @property
    def caller(self) -> str:
        """Whose token it calls with."""
        ...

    @property
    def waiting(self) -> bool:
        """True while its one call stands still, because it was asked and has not answered."""
        ...

    @property
    def expects_log(self) -> bool:
        """False when nothing that the child logs now can be about its calls."""
        ...

    def declares(self, request: ChildRequest) -> bool:
        """Return whether it declared that it can be asked this."""
        ...

    def ask(self, request: ChildRequest, call: "Call | None") -> None:
        """Pass a request on. `call` is its only call in flight that can be the reason, if any.

        The request is bounded by `ASK_TIMEOUT_S`; refused at once where nobody would hear it.
        """
        ...

    def hear(self, notice: Notice, call: "Call | None") -> None:
        """Take a log message that was written for it alone."""
        ...


class Call(msgspec.Struct, eq=False):
    """A request in flight. Await `future` for its `Answer`."""

    id: int
    method: str
    params: bytes | msgspec.Raw | None
    """As they were sent; looked at again only when the child dies."""
    sent_at: float
    future: asyncio.Future[Answer]
    owner: Owner | None = None
    """None: nobody who could be asked anything."""
    on_progress: Callable[[Notice], None] | None = None
    progress_token: msgspec.Raw | None = None
    on_notice: Callable[[Notice], None] | None = None
    """Told what comes on the stream that the call stands for."""
    on_answer: Callable[[Answer], Answer | None] | None = None
    """Looks at the answer first: returns one for whoever waits, or None when the call goes on."""
    on_end: Callable[[], None] | None = None
    """Told once `future` is done: at once, where a callback of the future comes a turn later."""
    failed: bool = False
    """True once it was answered with an error, or with a result in which its tool says so."""

    def settle(self, answer: Answer) -> None:
        """End it with an answer."""
        self.future.set_result(answer)
        self._end()

    def fail(self, error: Exception) -> None:
        """End it without an answer."""
        self.failed = True
        self.future.set_exception(error)
        # Who asked may have left; what is looked at is not reported as lost.
        self.future.exception()
        self._end()

    def cancel(self) -> None:
        """End it: nobody waits for its answer any more."""
        self.failed = True
        self.future.cancel()
        self._end()

    def _end(self) -> None:
        on_end = self.on_end
        # Whoever carries it knows it: each would keep the other until a garbage collection.
        self.owner = self.on_progress = self.on_answer = self.on_end = None
        if on_end is not None:
            on_end()
