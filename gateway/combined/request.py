"""A request to `/mcp/all`, before it is known which server it is for."""

from dataclasses import dataclass

from gateway.auth.caller import Caller
from gateway.relay.http import Headers, Receive, Send
from gateway.relay.visit import Visit
from supervisor.slots.slot import Slot

ALL_SERVERS = ""
"""Stands in sessions and streams where those of a server have its name."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has been authenticated; what it is for is not known yet."""

    caller: Caller
    headers: Headers
    receive: Receive
    send: Send

    def to(self, slot: Slot) -> Visit:
        """Return it as a visit to one server."""
        return Visit(slot, self.caller, self.headers, self.receive, self.send)
