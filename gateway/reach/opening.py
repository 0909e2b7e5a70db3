"""Opens what others reach the gateway by: its names, the proxies that it trusts, its tunnel."""

import socket
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from quart import Blueprint

from gateway.auth.origins import Origins, allowed_origins
from gateway.listening import listen
from gateway.reach.ngrok_sdk import open_ngrok
from gateway.reach.proxies import TrustedProxies
from gateway.reach.tunnel import Tunnel
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Reach:
    """How a running gateway is reached."""

    base_url: str
    """Where this machine reaches it, without a path."""
    origins: Origins
    trusted: TrustedProxies
    tunnel: Tunnel | None

    def address(self) -> str:
        """Return where others reach it; where this machine does, when nobody else can."""
        return self.origins.public_origin or self.base_url

    def local_routes(self) -> Blueprint:
        """Return ``GET /local/reach`` for the command line."""
        routes = Blueprint("local_reach", __name__)

        async def show() -> dict[str, str | None]:
            tunnel = None if self.tunnel is None else self.tunnel.status.sentence()
            return {"public": self.origins.public_origin, "tunnel": tunnel}

        routes.get("/local/reach")(show)
        return routes

    async def run(self) -> None:
        """Keep the tunnel open, if there is to be one."""
        if self.tunnel is not None:
            await self.tunnel.run()


def listen_for_tunnel(settings: Settings) -> AbstractContextManager[socket.socket | None]:
    """Return a socket of loopback for the tunnel's end alone, so that its word can be believed."""
    return nullcontext() if settings.ngrok_authtoken is None else listen("127.0.0.1", 0)


def port_of(sock: socket.socket | None) -> int | None:
    """Return the port of that socket."""
    return None if sock is None else int(sock.getsockname()[1])


def open_reach(settings: Settings, base_url: str, tunnel_port: int | None) -> Reach:
    """Return what the settings ask for."""
    origins = allowed_origins(settings.host, settings.public_url)
    tunnel, token = None, settings.ngrok_authtoken
    if token is not None and tunnel_port is not None:
        tunnel = Tunnel(token, port=tunnel_port, origins=origins, open_it=open_ngrok)
    trusted = TrustedProxies(settings.trusted_proxies, tunnel_port)
    return Reach(base_url, origins, trusted, tunnel)
