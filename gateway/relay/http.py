"""Small ASGI pieces of the relay: headers, bodies, JSON answers, event streams."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from copy import copy
from typing import Any

import anyio

from gateway.relay.refusal import INVALID_REQUEST
from supervisor.children.wire import error_message

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_REFUSED_BYTES = 1024 * 1024
REFUSED_S = 5.0
HEADERS = "claude_runner.headers"
"""Key in the ASGI scope under which the headers are kept once they were read."""
JSON = b"application/json"
EVENT_STREAM = b"text/event-stream"


class BodyTooLarge(Exception):
    """The request's body is over the cap."""


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Headers:
    """A request's headers: names in lower case, repeated ones visible as such."""

    def __init__(self, scope: Scope) -> None:
        # ASGI has the names in lower case.
        pairs: list[tuple[bytes, bytes]] = scope["headers"]
        self._values = dict(pairs)
        self._repeated: frozenset[bytes] = frozenset()
        if len(self._values) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            self._repeated = frozenset(name for name, count in counts.items() if count > 1)
        self._texts: dict[bytes, str] = {}
        """Those that were asked for: requests that say the same share one of these."""

    def with_value(self, name: bytes, value: bytes) -> "Headers":
        """Return headers that differ in the value of one that came once."""
        other = copy(self)
        other._values = {**self._values, name: value}
        other._texts = {}
        return other

    @classmethod
    def of(cls, scope: Scope) -> "Headers":
        """Return the headers of a request, read once however many ask."""
        known: Headers | None = scope.get(HEADERS)
        if known is None:
            known = scope[HEADERS] = cls(scope)
        return known

    def get(self, name: bytes) -> str | None:
        """Return a header's only value; None when it is absent or repeated."""
        text = self._texts.get(name)
        if text is None:
            value = self._values.get(name)
            if value is None or name in self._repeated:
                return None
            text = self._texts[name] = value.decode("latin-1").strip()
        return text

    def repeated(self, name: bytes) -> bool:
        """True when the header came more than once."""
        return name in self._repeated


async def read_body(receive: Receive, limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the request's body.

    Raises:
        BodyTooLarge, ClientGone.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def after_body(receive: Receive, send: Send, within_s: float = REFUSED_S) -> Send:
    """Return a `send` that reads what is left of a request before it refuses it.

    An HTTP/1.1 server closes a connection whose request was not read to its end, and a client that
    has kept it for its next request is told nothing but that it was disconnected. Who sends more
    than `MAX_REFUSED_BYTES`, or not within `within_s` seconds, is answered at once.
    """
    read = False

    async def send_after(message: Message) -> None:
        nonlocal read
        if not read:
            read = True
            with anyio.move_on_after(within_s), suppress(BodyTooLarge, ClientGone):
                await read_body(receive, MAX_REFUSED_BYTES)
        await send(message)

    return send_after


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read already, then goes on with the rest."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return first.pop() if first else await receive()

    return receive_again


async def send_too_large(send: Send) -> None:
    """Answer a body that is over the cap."""
    sentence = f"The body is larger than {MAX_BODY_BYTES} bytes."
    await send_body(send, 413, error_message(None, INVALID_REQUEST, sentence))


async def send_body(
    send: Send,
    status: int,
    body: bytes = b"",
    *,
    content_type: bytes = JSON,
    headers: Mapping[bytes, bytes] | None = None,
) -> None:
    """Send a whole response."""
    fields = [(b"content-length", b"%d" % len(body))]
    if body:
        fields.append((b"content-type", content_type))
    fields.extend((headers or {}).items())
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def start_stream(send: Send) -> None:
    """Begin a response of server-sent events."""
    fields = [
        (b"content-type", EVENT_STREAM),
        (b"cache-control", b"no-store, no-transform"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": fields})


async def send_event(send: Send, message: bytes) -> None:
    """Send one JSON-RPC message as an event."""
    body = b"event: message\ndata: " + message + b"\n\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def send_comment(send: Send) -> None:
    """Keep the stream alive through proxies that close silent connections."""
    await send({"type": "http.response.body", "body": b": alive\n\n", "more_body": True})


async def end_stream(send: Send) -> None:
    """End a response of server-sent events."""
    await send({"type": "http.response.body", "body": b""})
