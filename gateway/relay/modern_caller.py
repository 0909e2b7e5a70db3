"""Callers of the modern era: no session, every request stands for itself.

Source: MCP 2026-07-28, basic/transports, Streamable HTTP.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio

from gateway.auth.caller import CallerKind
from gateway.relay.begun import Begun
from gateway.relay.http import send_body
from gateway.relay.listeners import Listeners, Wanted, read_wanted
from gateway.relay.modern_call import ModernCall, read_responses
from gateway.relay.parameter_headers import ParameterHeaders
from gateway.relay.parked import Parked, purpose
from gateway.relay.refusal import INVALID_PARAMS, METHOD_NOT_FOUND, Refusal
from gateway.relay.request import Posted
from gateway.relay.visit import Visit
from supervisor.children.call import Notice
from supervisor.children.era import is_of_other_era
from supervisor.children.following import FOLLOW_S, LISTEN
from supervisor.children.wire import decode, parse_object, result_message
from supervisor.errors import CallTimedOut, RequestRefused
from supervisor.slots.instances import Instance
from supervisor.slots.slot import Slot
from supervisor.spec import Era
from supervisor.tenant import caller_tenant


class ModernCallers:
    """Answers the requests of callers that speak the modern era."""

    def __init__(self) -> None:
        self._parameters = ParameterHeaders()
        self._listeners = Listeners()
        self._parked = Parked(ModernCall.give_up)

    def forget(self, caller: str) -> None:
        """End what waits for a token or a run that is not valid any more."""
        self._parked.forget(caller)
        for kind in CallerKind:
            self._listeners.forget(caller_tenant(kind, caller).key)

    def end_streams(self) -> None:
        """End the open streams; calls go on."""
        self._listeners.end_all()

    def end_all(self) -> None:
        """End the open streams, and the calls that wait for their callers."""
        self.end_streams()
        self._parked.end_all()

    def noticed(self, server: str, notice: Notice) -> None:
        """Tell the streams of a server what belongs to no call."""
        self._listeners.hear(server, notice)

    async def ask(self, visit: Visit, posted: Posted) -> None:
        """Answer one request.

        Raises:
            SupervisorError, Refusal: it gets no answer of the server's, and why.
        """
        if is_of_other_era(Era.MODERN, posted.method):
            raise Refusal(METHOD_NOT_FOUND, f"This revision has no method {posted.method}.", 404)
        if posted.method == "server/discover":
            child = await visit.own_place.child_for_call()
            result = child.handshake.discover_result()
            await send_body(visit.request.send, 200, result_message(posted.id, result))
            return
        if posted.method == LISTEN:
            await self._listen(visit, posted)
            return
        self._check(visit, posted)
        state = _request_state(posted)
        if state is None or not await self._go_on(visit, posted, state):
            call = ModernCall(visit, posted, self._parked)
            exchange = await visit.send(posted, visit.own_place, call)
            call.carry(exchange)
            await call.run(exchange)

    def begin(self, visit: Visit, posted: Posted) -> Begun | None:
        """Send a tool call to the child that runs; None where anything has to be awaited first.

        Raises:
            SupervisorError, Refusal: it was not sent, and why.
        """
        child = visit.own_place.current
        if child is None or _request_state(posted) is not None:
            return None
        self._check(visit, posted)
        call = ModernCall(visit, posted, self._parked)
        exchange = visit.send_to(child, posted, call)
        call.carry(exchange)
        return Begun(exchange, visit.request.patience, partial(call.run, exchange), call.leave)

    def _check(self, visit: Visit, posted: Posted) -> None:
        visit.check_tool(posted)
        if visit.request.caller.kind is not CallerKind.LOCAL:
            # Its messages come from stdio, where no argument is repeated.
            self._parameters.check(visit.slot, posted, visit.request.headers)

    async def _go_on(self, visit: Visit, posted: Posted, state: str) -> bool:
        """Answer a request that goes on with a parked call; False: it goes on with the child's own.

        Raises:
            Refusal: nothing waits under its state, or another call.
        """
        responses = read_responses(posted)
        mine = purpose(visit.request.caller.id, visit.server, posted)
        waiting = self._parked.take(state, mine)
        if waiting is None:
            child = await visit.own_place.child_for_call()
            if child.handshake.era is Era.MODERN:
                return False
            sentence = "Nothing waits under this requestState any more; begin the call anew."
            raise Refusal(INVALID_PARAMS, sentence)
        await waiting.go_on(visit, posted, responses)
        return True

    async def _listen(self, visit: Visit, posted: Posted) -> None:
        asked = read_wanted(posted.envelope.params)
        listener = self._listeners.open(posted.id, visit.server, visit.tenant.key)
        try:
            place = visit.own_place
            child = await place.child_for_call()
            async with followed(place, asked.uris) as uris:
                lists = asked.lists.intersection(child.handshake.capabilities)
                listener.begin(Wanted(lists, uris))
                await listener.serve(visit.request.receive, visit.request.send)
        finally:
            self._listeners.close(listener)


def _request_state(posted: Posted) -> str | None:
    params = posted.envelope.params
    if params is None or b'"requestState"' not in bytes(params):
        return None
    raw = parse_object(params).get("requestState")
    state: object = None if raw is None else decode(raw)
    return state if isinstance(state, str) else None


@asynccontextmanager
async def followed(place: Slot | Instance, uris: Iterable[str]) -> AsyncGenerator[tuple[str, ...]]:
    """Follow resources at a place within the body; give those of which it tells."""
    agreed: list[str] = []
    try:
        with anyio.move_on_after(FOLLOW_S):
            for uri in uris:
                # What a server does not tell of is left out of what the stream acknowledges.
                with suppress(RequestRefused, CallTimedOut):
                    await place.followed.add(uri)
                    agreed.append(uri)
        yield tuple(agreed)
    finally:
        for uri in agreed:
            place.followed.drop(uri)
