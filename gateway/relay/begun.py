"""A tool call that was sent at once, and costs its connection nothing until there is an answer.

Most calls are answered soon and in one piece: then neither a task nor a future waits for them. One
that takes longer, or has something to tell before its answer, goes on as every other request does.
Above: the HTTP servers' protocols. Below: `exchange`.
"""

from collections.abc import Awaitable, Callable

from gateway.relay.exchange import Exchange
from gateway.relay.http import Message, Receive, Scope, Send
from gateway.relay.patience import Patience

BEGUN = "claude_runner.begun"
"""Key in the ASGI scope of the call that a request has begun, and now goes on with."""

Begin = Callable[[Scope, bytes], "Begun | None"]
"""Sends what a request's body asks for, if that can be done without waiting for anything."""


class Begun:
    """Ends in one of two ways: `answer` gives all there is to say, or `go_on` is awaited."""

    __slots__ = ("_exchange", "_on_end", "_over", "_patience", "_run", "_told")

    def __init__(
        self,
        exchange: Exchange,
        patience: Patience,
        run: Callable[[], Awaitable[None]],
        over: Callable[[], None],
    ) -> None:
        """`run` answers over the exchange's connection; `over`: it was answered without it."""
        self._exchange = exchange
        self._patience = patience
        self._run = run
        self._over = over
        self._told: Callable[[], None] | None = None
        self._on_end: Callable[[], None] | None = None

    def hear(self, told: Callable[[], None]) -> None:
        """Have `told` called once: when there is something to say, or it took too long."""
        self._told = told
        self._exchange.on_news = self._tell
        self._patience.limit(self)

    def hear_no_more(self) -> None:
        """Tell nobody any more: it is about to go on, and looks then at what came."""
        # Each would keep the other until a garbage collection.
        self._told = self._exchange.on_news = None

    def on_end(self, ended: Callable[[], None]) -> None:
        """Have `ended` called when the caller has its answer, or will get none."""
        self._on_end = ended

    def answer(self) -> tuple[int, bytes] | None:
        """Return status and body when that is all there is to say; None: it has to go on."""
        answer = self._exchange.answer()
        if answer is not None:
            self._over()
            self._end()
        return answer

    async def go_on(self, receive: Receive, send: Send) -> None:
        """Answer over a connection, however long that takes."""
        self._exchange.connect(receive, send)
        try:
            await self._run()
        finally:
            self._end()

    def done(self) -> bool:
        """True when there is nothing more to tell."""
        return self._told is None

    def set_result(self, value: bool) -> None:  # noqa: FBT001 - as futures have it
        """Take the end of patience."""
        self._tell()

    def _tell(self) -> None:
        told = self._told
        if told is not None:
            self.hear_no_more()
            told()

    def _end(self) -> None:
        if self._on_end is not None:
            self._on_end()
        # Who waits for its patience to end keeps this for a while; nothing of the call with it.
        del self._exchange, self._run, self._over


async def never_receive() -> Message:
    """Stand for the connection of a request that goes on over none."""
    raise AssertionError("a call was begun and did not go on")


async def never_send(message: Message) -> None:
    """Stand for the connection of a request that goes on over none."""
    raise AssertionError("a call was begun and did not go on")
