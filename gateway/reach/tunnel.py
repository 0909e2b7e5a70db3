"""The tunnel of NGROK_AUTHTOKEN: kept open, its address made the public one, its trouble told.

Nothing waits for it: without it the gateway serves whoever reaches it otherwise.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

import anyio

from gateway.auth.origins import Origins
from gateway.secret import Secret

log = logging.getLogger(__name__)

FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 300.0
"""Between two attempts; each waits twice as long as the one before."""


class TunnelRefused(Exception):
    """There is no tunnel; the message is one sentence for the owner."""


class TunnelState(StrEnum):
    """How a tunnel is."""

    CONNECTING = "connecting"
    OPEN = "open"
    INTERRUPTED = "interrupted"
    """The connection broke, and the SDK makes it anew under the same address."""
    WAITING = "waiting"
    """An attempt failed; there will be another one."""


class OpenTunnel(Protocol):
    """A tunnel that leads to us."""

    @property
    def url(self) -> str:
        """Its public address."""
        ...

    async def wait_until_changed(self) -> str | None:
        """Return what broke the connection, None once it works again."""
        ...


OpenIt = Callable[[Secret, str | None, int], AbstractAsyncContextManager[OpenTunnel]]
"""Opens a tunnel by a token, under a host name if there is one, to a port. Raises TunnelRefused."""


@dataclass(frozen=True, slots=True)
class TunnelStatus:
    """What the owner is shown."""

    state: TunnelState
    address: str | None = None
    problem: str | None = None

    def trouble(self) -> str:
        """Return it in words while nobody outside reaches the gateway through it, else nothing."""
        broken = self.state in (TunnelState.INTERRUPTED, TunnelState.WAITING)
        return self.sentence() if broken else ""

    def sentence(self) -> str:
        """Return it in words."""
        match self.state:
            case TunnelState.CONNECTING:
                return "The tunnel is being opened."
            case TunnelState.OPEN:
                return f"The tunnel is open at {self.address}."
            case TunnelState.INTERRUPTED:
                return f"The tunnel at {self.address} is interrupted: {self.problem}."
            case TunnelState.WAITING:
                return f"There is no tunnel: {self.problem} It is tried again."


class Tunnel:
    """One tunnel to `port` of loopback, for as long as `run` runs."""

    def __init__(
        self,
        token: Secret,
        *,
        port: int,
        origins: Origins,
        open_it: OpenIt,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._token = token
        self._port = port
        self._origins = origins
        self._open_it = open_it
        self._sleep = sleep
        # A name that the owner chose stays; else the tunnel's is taken.
        wanted = origins.public_origin
        self._domain = None if wanted is None else urlsplit(wanted).hostname
        self.status = TunnelStatus(TunnelState.CONNECTING)

    async def run(self) -> None:
        """Keep the tunnel open."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                async with self._open_it(self._token, self._domain, self._port) as tunnel:
                    wait_s = FIRST_WAIT_S
                    await self._watch(tunnel)
            except TunnelRefused as error:
                self._note(TunnelStatus(TunnelState.WAITING, problem=str(error)))
            await self._sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _watch(self, tunnel: OpenTunnel) -> None:
        self._origins.publish(tunnel.url)
        problem: str | None = None
        while True:
            state = TunnelState.INTERRUPTED if problem else TunnelState.OPEN
            self._note(TunnelStatus(state, tunnel.url, problem))
            problem = await tunnel.wait_until_changed()

    def _note(self, status: TunnelStatus) -> None:
        if status == self.status:
            return
        self.status = status
        level = logging.INFO if status.state is TunnelState.OPEN else logging.WARNING
        log.log(level, "%s", status.sentence())
