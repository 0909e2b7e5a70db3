"""What a child is asked to tell of by itself: lists that changed, and single resources.

A handshake child tells of its lists unasked; a modern one only on a stream that was opened for it.
Above: `child`, which follows its lists from its start on. Below: `link`.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import anyio
import msgspec

from supervisor.children.call import Answer, Call, Notice
from supervisor.children.era import LISTS, Handshake, to_modern_params
from supervisor.children.link import Link
from supervisor.children.wire import decode, encode, parse_object
from supervisor.errors import CallTimedOut, ChildDied, RequestRefused
from supervisor.spec import Era

LISTEN = "subscriptions/listen"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
FOLLOW_S = 10.0
"""A child says at once whether it tells of a resource; one that does not is not waited for."""
METHOD_NOT_FOUND = -32601


class Following:
    """What one child was asked to tell of; everything it tells goes to its link's `on_notice`."""

    def __init__(self, server: str, link: Link, handshake: Handshake) -> None:
        self._server = server
        self._link = link
        self._handshake = handshake
        self._streams: dict[str, Call] = {}
        """Of a modern child, by the URI of the resource."""

    def lists(self) -> None:
        """Have a modern child tell of changes in those lists of which it says that it does."""
        if self._handshake.era is Era.MODERN:
            told = [name for name in LISTS if self._handshake.tells_of_list(name)]
            if told:
                # One that is gone is dealt with by its exit.
                with suppress(ChildDied):
                    self._listen({f"{name}ListChanged": True for name in told}, self._heard)

    async def resource(self, uri: str) -> None:
        """Have the child tell when a resource was updated.

        Raises:
            RequestRefused: it does not.
            CallTimedOut, ChildDied: it did not answer.
        """
        if not self._handshake.tells_of_resources:
            text = "this server does not tell when resources are updated"
            raise RequestRefused(self._server, METHOD_NOT_FOUND, text)
        if self._handshake.era is Era.HANDSHAKE:
            with self._taken():
                call = self._link.call("resources/subscribe", encode({"uri": uri}))
            with self._patience("resources/subscribe"):
                self._check(await call.future)
        elif uri not in self._streams:
            await self._open(uri)

    def drop_resource(self, uri: str) -> None:
        """Have the child tell no more of a resource; what it answers is of no consequence."""
        with suppress(ChildDied), self._taken():
            if self._handshake.era is Era.HANDSHAKE:
                call = self._link.call("resources/unsubscribe", encode({"uri": uri}))
                call.future.add_done_callback(_observed)
            elif (stream := self._streams.pop(uri, None)) is not None:
                self._link.cancel(stream, "nobody follows it any more")

    async def _open(self, uri: str) -> None:
        agreed = asyncio.get_running_loop().create_future()

        def heard(notice: Notice) -> None:
            if notice.method != ACKNOWLEDGED:
                self._heard(notice)
            elif not agreed.done():
                agreed.set_result(_acknowledges(notice.params, uri))

        stream = self._streams[uri] = self._listen({"resourceSubscriptions": [uri]}, heard)
        try:
            with self._patience(LISTEN):
                await asyncio.wait((agreed, stream.future), return_when=asyncio.FIRST_COMPLETED)
            if stream.future.cancelled():
                raise RequestRefused(self._server, METHOD_NOT_FOUND, "it was given up meanwhile")
            self._check(await stream.future if stream.future.done() else None)
            if not agreed.done() or not agreed.result():
                text = f"this server does not tell of {uri}"
                raise RequestRefused(self._server, METHOD_NOT_FOUND, text)
        except BaseException:
            self.drop_resource(uri)
            raise

    def _listen(self, wanted: dict[str, object], heard: Callable[[Notice], None]) -> Call:
        params = to_modern_params(encode({"notifications": wanted}))
        with self._taken():
            return self._link.stand(LISTEN, params, heard)

    def _heard(self, notice: Notice) -> None:
        if notice.method != ACKNOWLEDGED:
            self._link.on_notice(notice)

    def _check(self, answer: Answer | None) -> None:
        if answer is not None and answer.error is not None:
            raise RequestRefused.from_json(self._server, decode(answer.error))

    @contextmanager
    def _taken(self) -> Generator[None]:
        try:
            yield
        except (BrokenPipeError, BlockingIOError):
            raise ChildDied(self._server, "it takes no input any more", ()) from None

    @contextmanager
    def _patience(self, method: str) -> Generator[None]:
        try:
            with anyio.fail_after(FOLLOW_S):
                yield
        except TimeoutError:
            raise CallTimedOut(self._server, method, FOLLOW_S) from None


def _observed(future: asyncio.Future[Answer]) -> None:
    """Look at an outcome that nobody waits for, so that asyncio does not report it as lost."""
    if not future.cancelled():
        future.exception()


def _acknowledges(params: bytes | msgspec.Raw | None, uri: str) -> bool:
    agreed = parse_object(parse_object(params).get("notifications")).get("resourceSubscriptions")
    return agreed is not None and uri in decode(agreed)
