"""Open `subscriptions/listen` streams: what modern callers want to be told of, and telling them.

The gateway serves these itself, whatever the child speaks: a stream outlives children, keeps none
awake, and is told what a reload changed.
Source: MCP 2026-07-28, basic/patterns/subscriptions.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import msgspec

from gateway.relay.http import Receive, Send, start_stream
from gateway.relay.refusal import INVALID_PARAMS, SERVER_ERROR, Refusal
from gateway.relay.streams import pump, until_gone
from supervisor.children.call import Notice
from supervisor.children.era import LISTS
from supervisor.children.following import ACKNOWLEDGED
from supervisor.children.link import SUBSCRIPTION_KEY
from supervisor.children.wire import (
    decode,
    encode,
    notification_line,
    parse_object,
    result_message,
    with_member,
)

UPDATED = "notifications/resources/updated"
LIST_CHANGES = {f"{name}ListChanged": f"notifications/{name}/list_changed" for name in LISTS}

MAX_PER_CALLER = 64
MAX_PER_SERVER = 1024
MAX_URIS = 256
"""Resources on one stream."""
WAITING_EVENTS = 256
"""A reader this far behind has its stream ended: it listens anew and reads all again."""


class _Filter(msgspec.Struct, rename="camel"):
    tools_list_changed: bool = False
    prompts_list_changed: bool = False
    resources_list_changed: bool = False
    resource_subscriptions: list[str] = []


class _Params(msgspec.Struct):
    notifications: _Filter


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream is to tell of."""

    lists: frozenset[str]
    """Those of `tools`, `prompts`, `resources` whose changes are told."""
    uris: tuple[str, ...]
    """Resources whose updates are told."""

    def as_filter(self) -> dict[str, object]:
        """Return it in MCP's words; what is not wanted is left out."""
        told: dict[str, object] = {
            f"{name}ListChanged": True for name in LISTS if name in self.lists
        }
        return {**told, "resourceSubscriptions": list(self.uris)} if self.uris else told

    def includes(self, notice: Notice) -> bool:
        """True for a notification that the stream is to carry."""
        if notice.method == UPDATED:
            uri = parse_object(notice.params).get("uri")
            return uri is not None and self._names(decode(uri))
        return any(LIST_CHANGES[f"{name}ListChanged"] == notice.method for name in self.lists)

    def _names(self, uri: object) -> bool:
        # A server may tell of a part of the resource that was asked for.
        return isinstance(uri, str) and any(
            uri == one or uri.startswith(one.rstrip("/") + "/") for one in self.uris
        )


def read_wanted(params: msgspec.Raw | None) -> Wanted:
    """Return what a caller asks to be told of.

    Raises:
        Refusal: the params have another shape, or name too many resources.
    """
    try:
        asked = msgspec.json.decode(params or b"{}", type=_Params).notifications
    except msgspec.DecodeError as error:
        raise Refusal(INVALID_PARAMS, f"The params of subscriptions/listen: {error}.") from error
    if len(asked.resource_subscriptions) > MAX_URIS:
        raise Refusal(INVALID_PARAMS, f"One stream tells of at most {MAX_URIS} resources.")
    flags = (asked.tools_list_changed, asked.prompts_list_changed, asked.resources_list_changed)
    lists = frozenset(
        name for name, flag in zip(("tools", "prompts", "resources"), flags, strict=True) if flag
    )
    return Wanted(lists, tuple(dict.fromkeys(asked.resource_subscriptions)))


class Listener:
    """One open stream. Nothing is told on it before `begin`."""

    def __init__(self, request_id: bytes, server: str, owner: str) -> None:
        self.server = server
        self.owner = owner
        self._id = msgspec.Raw(request_id)
        self._wanted = Wanted(frozenset(), ())
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_EVENTS)

    def begin(self, wanted: Wanted) -> None:
        """Acknowledge what it will tell of."""
        self._wanted = wanted
        self._tell(Notice(ACKNOWLEDGED, encode({"notifications": wanted.as_filter()})))

    def hear(self, notice: Notice) -> None:
        """Pass on a notification if it is wanted."""
        if self._wanted.includes(notice):
            self._tell(notice)

    def end(self) -> None:
        """End the stream with its result: on purpose, that is, and not because something broke."""
        meta = {SUBSCRIPTION_KEY: self._id}
        result = encode({"resultType": "complete", "_meta": meta})
        self._put(result_message(self._id, result))
        self._put(None)

    async def serve(self, receive: Receive, send: Send) -> None:
        """Write the stream until it ends or its reader is gone."""
        await start_stream(send)
        gone = asyncio.ensure_future(until_gone(receive))
        try:
            await pump(self._queue, gone, send)
        finally:
            gone.cancel()

    def _tell(self, notice: Notice) -> None:
        meta = cast(dict[str, object], parse_object(parse_object(notice.params).get("_meta")))
        params = with_member(notice.params, "_meta", {**meta, SUBSCRIPTION_KEY: self._id})
        self._put(notification_line(notice.method, params).rstrip(b"\n"))

    def _put(self, message: bytes | None) -> None:
        if self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
            message = None
        self._queue.put_nowait(message)


class Listeners:
    """All open streams."""

    def __init__(self) -> None:
        self._open: dict[str, set[Listener]] = {}
        self._of_caller: Counter[str] = Counter()

    def open(self, request_id: bytes, server: str, owner: str) -> Listener:
        """Return a new stream; it has to be closed.

        Raises:
            Refusal: the caller or the server has too many.
        """
        if self._of_caller[owner] >= MAX_PER_CALLER:
            sentence = f"This token listens on {MAX_PER_CALLER} streams already; end one first."
            raise Refusal(SERVER_ERROR, sentence, 200)
        if len(self._open.get(server, ())) >= MAX_PER_SERVER:
            sentence = f"{MAX_PER_SERVER} callers listen to server {server!r} already."
            raise Refusal(SERVER_ERROR, sentence, 200)
        listener = Listener(request_id, server, owner)
        self._open.setdefault(server, set()).add(listener)
        self._of_caller[owner] += 1
        return listener

    def close(self, listener: Listener) -> None:
        """Forget a stream that has ended."""
        of_server = self._open[listener.server]
        of_server.remove(listener)
        if not of_server:
            del self._open[listener.server]
        self._of_caller[listener.owner] -= 1
        if not self._of_caller[listener.owner]:
            del self._of_caller[listener.owner]

    def hear(self, server: str, notice: Notice) -> None:
        """Tell all streams of a server; what one caller's own instance says, that caller's."""
        for listener in tuple(self._open.get(server, ())):
            if notice.tenant in (None, listener.owner):
                listener.hear(notice)

    def forget(self, owner: str) -> None:
        """End the streams of a caller that is gone."""
        for listener in tuple(self._all()):
            if listener.owner == owner:
                listener.end()

    def end_all(self) -> None:
        """End every stream."""
        for listener in tuple(self._all()):
            listener.end()

    def _all(self) -> Iterator[Listener]:
        for of_server in self._open.values():
            yield from of_server
