"""Updates of single resources and the servers' logs: which callers of `/mcp/all` are told.

Changed lists are another matter, see `changes`. Above: `endpoint`.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import anyio

from gateway.combined.catalogue import Catalogue
from gateway.combined.routing import Router
from gateway.relay.answering import ALL_SERVERS, Request
from gateway.relay.handshake_caller import tell
from gateway.relay.interests import MESSAGE, UPDATED
from gateway.relay.listeners import Listener, Wanted
from gateway.relay.modern_caller import followed
from gateway.relay.refusal import Refusal
from gateway.relay.request import Posted
from gateway.relay.sessions import Session, Sessions
from gateway.relay.visit import Visit
from gateway.relay.wishes import (
    SET_LEVEL,
    UNSUBSCRIBE,
    asked_level,
    asked_uri,
    read_log,
    wish,
)
from supervisor.children.call import Notice
from supervisor.children.following import FOLLOW_S
from supervisor.errors import SupervisorError
from supervisor.slots.slot import Slot
from supervisor.spec import Era, Instances
from supervisor.tenant import caller_tenant


@dataclass(frozen=True, slots=True)
class _Stream:
    tenant: str
    wanted: dict[str, Wanted]
    """By the server that lists the resources."""


class Updates:
    """Takes the wishes of sessions and streams, and tells each what it asked for."""

    def __init__(self, catalogue: Catalogue, router: Router, sessions: Sessions) -> None:
        self._catalogue = catalogue
        self._router = router
        self._sessions = sessions
        self._streams: dict[Listener, _Stream] = {}

    async def wish(self, request: Request, posted: Posted, session: Session) -> None:
        """Note what a session wants to be told of.

        Raises:
            SupervisorError, Refusal: no server does that, or it was not asked.
        """
        if posted.method == SET_LEVEL:
            session.log_level = asked_level(posted)
            slots = self._catalogue.slots(request.caller.view)
            read_log(session, (s for s in slots if s.spec.instances is Instances.SHARED))
            return
        uri = asked_uri(posted)
        if posted.method == UNSUBSCRIBE:
            for server, one in tuple(session.interests.uris):
                if one == uri:
                    session.interests.drop(server, uri)
            return
        slot = await self._router.owner(uri, posted.era, request.caller.view)
        await wish(slot.spec.name, slot.place(session.tenant), posted, session)

    def calls(self, session: Session, slot: Slot) -> None:
        """Have a server log for a session that calls it: it may be newer than the session's wish.

        Raises:
            SupervisorError: it has no place for this session.
        """
        if session.log_level is not None:
            place = slot.place(session.tenant)
            if place.levels not in session.interests.levels:
                read_log(session, (place,))

    @asynccontextmanager
    async def told(
        self, request: Request, listener: Listener, uris: Iterable[str]
    ) -> AsyncGenerator[tuple[str, ...]]:
        """Follow resources for a stream within the body; give those of which it will be told."""
        wanted: dict[str, Wanted] = {}
        async with AsyncExitStack() as stack:
            with anyio.move_on_after(FOLLOW_S):
                for slot, its in (await self._by_owner(request, uris)).items():
                    # Of a server that cannot be asked, as of one that refuses, nothing is told.
                    with suppress(SupervisorError):
                        place = Visit(slot, request).own_place
                        agreed = await stack.enter_async_context(followed(place, its))
                        wanted[slot.spec.name] = Wanted(frozenset(), agreed)
            tenant = caller_tenant(request.caller.kind, request.caller.id).key
            self._streams[listener] = _Stream(tenant, wanted)
            stack.callback(self._streams.pop, listener)
            yield tuple(uri for one in wanted.values() for uri in one.uris)

    def noticed(self, server: str, notice: Notice) -> None:
        """Take a server's notification, and tell those whom it concerns."""
        sessions = self._sessions.of_server(ALL_SERVERS)
        if notice.method == UPDATED:
            tell(sessions, server, notice)
            for listener, stream in self._streams.items():
                wanted = stream.wanted.get(server)
                mine = notice.tenant in (None, stream.tenant)
                if mine and wanted is not None and wanted.includes(notice):
                    listener.hear(notice)
        elif notice.method == MESSAGE:
            slot = self._catalogue.slot(server, None)
            if slot is not None:
                tell((s for s in sessions if _reads(s, slot, notice)), server, notice)

    async def _by_owner(self, request: Request, uris: Iterable[str]) -> dict[Slot, list[str]]:
        owners: dict[Slot, list[str]] = {}
        for uri in uris:
            # What leads to no server is left out of what the stream acknowledges.
            with suppress(Refusal):
                slot = await self._router.owner(uri, Era.MODERN, request.caller.view)
                owners.setdefault(slot, []).append(uri)
        return owners


def _reads(session: Session, slot: Slot, notice: Notice) -> bool:
    return notice.tenant == session.tenant.key or slot.levels in session.interests.levels
