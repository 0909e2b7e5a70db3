"""One HTTP request to a server's endpoint, and what both eras do with it."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import msgspec

from gateway.relay.answering import Request
from gateway.relay.exchange import Exchange
from gateway.relay.refusal import SERVER_ERROR, Refusal
from gateway.relay.request import Posted
from supervisor.children.call import Answer, Owner
from supervisor.children.child import Child
from supervisor.children.era import to_handshake_params, to_modern_params
from supervisor.slots.instances import Instance
from supervisor.slots.slot import Slot
from supervisor.spec import Era, Instances
from supervisor.tenant import Tenant, caller_tenant

NOTHING: Mapping[str, object] = MappingProxyType({})


class Visit(msgspec.Struct, frozen=True):
    """A request that has been authenticated, and the server it is for."""

    slot: Slot
    request: Request
    on_answer: Callable[[Answer], Answer | None] | None = None
    """Looks at what a child of the caller's own era answers, before the caller does."""

    @property
    def server(self) -> str:
        """The server's name."""
        return self.slot.spec.name

    @property
    def tenant(self) -> Tenant:
        """The tenant that the caller is when it has no session."""
        return caller_tenant(self.request.caller.kind, self.request.caller.id)

    @property
    def own_place(self) -> Slot | Instance:
        """Where the calls of a caller without a session go."""
        if self.slot.spec.instances is Instances.SHARED:
            return self.slot
        return self.slot.place(self.tenant)

    def check_tool(self, posted: Posted) -> None:
        """Refuse the call of a tool that the caller may not call."""
        name = posted.fields.name
        if posted.method == "tools/call" and not self.request.caller.may_call(
            self.server, name or ""
        ):
            raise Refusal(
                SERVER_ERROR,
                f"This token may not call tool {name!r} of server {self.server!r}.",
                403,
            )

    def send(
        self,
        posted: Posted,
        place: Slot | Instance,
        owner: Owner,
        envelope: Mapping[str, object] = NOTHING,
    ) -> Awaitable[Exchange]:
        """Send a request to the child of a place; return the exchange that awaits its answer.

        `owner` is whom the child may ask something meanwhile; `envelope` is what a modern child is
        told of a handshake caller, in `_meta`.

        Raises:
            SupervisorError: it was not sent, and why.
        """

        return place.send(lambda child: self.send_to(child, posted, owner, envelope))

    def send_to(
        self,
        child: Child,
        posted: Posted,
        owner: Owner,
        envelope: Mapping[str, object] = NOTHING,
    ) -> Exchange:
        """Send a request to this child, as `send` does. Raises ToolWithheld and ChildDied."""
        exchange = Exchange(self.request, posted, child)
        params = _in_era(child.handshake.era, posted, envelope)
        places = self.request.places
        if places is not None:
            headers = self.request.headers
            exchange.place = places.of_request(self.request.caller, headers, posted)
            params = places.marked(params, exchange.place, headers)
        call = child.call(posted.method, params, owner=owner)
        call.on_answer = self.on_answer
        exchange.carry(call)
        return exchange


def _in_era(era: Era, posted: Posted, envelope: Mapping[str, object]) -> bytes | msgspec.Raw | None:
    """Return the params as a child of this era reads them."""
    params = posted.envelope.params
    if posted.era is era:
        return params
    if era is Era.MODERN:
        return to_modern_params(params, envelope)
    return to_handshake_params(params)
