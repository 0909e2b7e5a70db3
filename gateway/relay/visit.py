"""One HTTP request to a server's endpoint, and what both eras do with it."""

from collections.abc import Callable, Mapping

import msgspec

from gateway.auth.caller import Caller
from gateway.relay.exchange import Asked, Exchange, Sent
from gateway.relay.http import Headers, Receive, Send, send_body
from gateway.relay.refusal import SERVER_ERROR, Refusal, modern_status
from gateway.relay.request import Posted
from supervisor.children.child import Child
from supervisor.children.era import to_handshake_params, to_modern_params
from supervisor.children.link import Call, Owner
from supervisor.children.wire import error_message
from supervisor.slots.instances import Instance
from supervisor.slots.slot import Slot
from supervisor.spec import Era, Instances
from supervisor.tenant import Tenant, caller_tenant


class Visit(msgspec.Struct, frozen=True):
    """A request that has been authenticated, and the server it is for."""

    slot: Slot
    caller: Caller
    headers: Headers
    receive: Receive
    send: Send

    @property
    def server(self) -> str:
        """The server's name."""
        return self.slot.spec.name

    @property
    def tenant(self) -> Tenant:
        """The tenant that the caller is when it has no session."""
        return caller_tenant(self.caller.kind, self.caller.id)

    @property
    def own_place(self) -> Slot | Instance:
        """Where the calls of a caller without a session go."""
        if self.slot.spec.instances is Instances.SHARED:
            return self.slot
        return self.slot.place(self.tenant)

    def check_tool(self, posted: Posted) -> None:
        """Refuse the call of a tool that the caller may not call."""
        name = posted.fields.name
        if posted.method == "tools/call" and not self.caller.may_call(self.server, name or ""):
            raise Refusal(
                SERVER_ERROR,
                f"This token may not call tool {name!r} of server {self.server!r}.",
                403,
            )

    async def relay(
        self,
        posted: Posted,
        *,
        place: Slot | Instance,
        cancel_on_disconnect: bool,
        owner: Owner | None = None,
        envelope: Mapping[str, object] | None = None,
        on_sent: Callable[[Sent], None] | None = None,
    ) -> None:
        """Have the child of a place answer a request; `on_sent` is told when it was sent.

        `owner` is whom the child may ask something meanwhile; `envelope` is what a modern child is
        told of a handshake caller, in `_meta`.

        Raises:
            SupervisorError: it was not sent, and why.
        """
        asked = Asked(posted.id, posted.method, posted.era, self.slot.spec.call_timeout_s)

        def ask(child: Child) -> tuple[Exchange, Call]:
            exchange = Exchange(asked, child, self.send)
            params = _in_era(child.handshake.era, posted, envelope or {})
            call = child.call(posted.method, params, on_progress=exchange.on_progress, owner=owner)
            if on_sent is not None:
                on_sent(Sent(child.link, call, exchange))
            return exchange, call

        exchange, call = await place.send(ask)
        await exchange.run(call, self.receive, cancel_on_disconnect=cancel_on_disconnect)

    async def refuse(self, posted: Posted, refusal: Refusal) -> None:
        """Answer a request with an error."""
        await refuse(self.send, posted, refusal)


async def refuse(send: Send, posted: Posted, refusal: Refusal) -> None:
    """Answer a request with an error."""
    message = error_message(posted.id, refusal.code, refusal.message, refusal.data)
    if refusal.status == 200 and posted.era is Era.MODERN:
        await send_body(send, modern_status(refusal.code), message)
    else:
        await send_body(send, refusal.status, message)


def _in_era(era: Era, posted: Posted, envelope: Mapping[str, object]) -> bytes | msgspec.Raw | None:
    """Return the params as a child of this era reads them."""
    params = posted.envelope.params
    if posted.era is era:
        return params
    if era is Era.MODERN:
        return to_modern_params(params, envelope)
    return to_handshake_params(params)
