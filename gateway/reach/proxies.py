"""The entrance for requests through proxies: gives them their caller's address, scheme and host.

Only what a trusted peer says is believed; without one the headers stay what they are, unread.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from gateway.auth.origins import Origins
from gateway.reach.address import UNKNOWN, client_address
from gateway.reach.forwarded import Came, follow_back, read_forwarded, read_x_forwarded
from gateway.relay.http import Headers, Receive, Scope, Send
from gateway.variables import Network

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

PROXY = "claude_runner.proxy"
"""Key in the ASGI scope of the trusted peer that was looked through."""
_HOST = b"host"


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Whose word counts."""

    networks: tuple[Network, ...] = ()
    tunnel_port: int | None = None
    """Our own port at which only the tunnel's end connects."""

    def __bool__(self) -> bool:
        return bool(self.networks) or self.tunnel_port is not None

    def hold(self, address: str) -> bool:
        """True when an address is one of theirs."""
        if address == UNKNOWN:
            return False
        wanted = ip_address(address)
        return any(wanted in network for network in self.networks)


class Entrance:
    """The application, as requests through proxies should meet it."""

    def __init__(self, app: Asgi, trusted: TrustedProxies, origins: Origins) -> None:
        self._app = app
        self._trusted = trusted
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._look_through(scope)
        await self._app(scope, receive, send)

    def _look_through(self, scope: Scope) -> None:
        peer = client_address(scope)
        by_tunnel = _port(scope) == self._trusted.tunnel_port is not None
        if not by_tunnel and not self._trusted.hold(peer):
            return
        came = _came(peer, scope["headers"], self._trusted)
        scope[PROXY] = peer
        scope["client"] = (came.address, 0)
        scope["scheme"] = came.scheme or scope["scheme"]
        if came.host is not None and self._may_rename(peer, Headers(scope).get(_HOST)):
            others = [pair for pair in scope["headers"] if pair[0] != _HOST]
            scope["headers"] = [(_HOST, came.host.encode("latin-1")), *others]

    def _may_rename(self, peer: str, host: str | None) -> bool:
        """True when a request may be meant for another Host than the one that it carries.

        A page on a rebound name writes every header but Host, and comes from where proxies on this
        machine come from.
        """
        if host is None:
            return False
        return self._origins.answers_to(host) or not ip_address(peer).is_loopback


def entrance(app: Asgi, trusted: TrustedProxies, origins: Origins) -> Asgi:
    """Return what the HTTP server is given: the application itself when no proxy is trusted."""
    return Entrance(app, trusted, origins) if trusted else app


def _came(peer: str, headers: Sequence[tuple[bytes, bytes]], trusted: TrustedProxies) -> Came:
    def joined(name: bytes) -> str:
        # Repeated lines are one list (RFC 9110, section 5.3).
        return ",".join(value.decode("latin-1") for key, value in headers if key == name)

    hops = read_x_forwarded(
        joined(b"x-forwarded-for"), joined(b"x-forwarded-proto"), joined(b"x-forwarded-host")
    )
    written = read_forwarded(joined(b"forwarded"))
    return follow_back(peer, x_forwarded=hops, forwarded=written, trusted=trusted.hold)


def _port(scope: Scope) -> int | None:
    server = scope.get("server")
    return server[1] if server else None
