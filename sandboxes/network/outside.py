"""The machine's own network, as the proxy of a child uses it: names to addresses, and dialling."""

import socket
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address
from typing import Protocol

import anyio
import anyio.to_thread
from anyio.abc import ByteStream

MAX_LOOKUPS = 64
"""Under way at once for all children; each holds a thread until the resolver gives up."""


class Outside(Protocol):
    """What lies beyond the proxy. Its methods may take any time; the caller bounds them."""

    async def resolve(self, name: str, port: int) -> Sequence[str]:
        """Return the addresses of a name, best first. Raises OSError, or the proxy's Refusal."""
        ...

    async def dial(self, address: str, port: int) -> ByteStream:
        """Return a connection to exactly this address. Raises OSError."""
        ...

    async def connect(self, name: str, port: int) -> ByteStream:
        """Return a connection to a host that the owner named. Raises OSError."""
        ...


class Internet:
    """The system's resolver and TCP."""

    def __init__(self) -> None:
        self._lookups = anyio.CapacityLimiter(MAX_LOOKUPS)

    async def resolve(self, name: str, port: int) -> Sequence[str]:
        """Return what the system's resolver says."""
        ask = partial(socket.getaddrinfo, name, port, type=socket.SOCK_STREAM)
        # Not the loop's default executor: a name that hangs must hold up nobody else's work.
        found = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=self._lookups)
        return list(dict.fromkeys(str(info[4][0]) for info in found))

    async def dial(self, address: str, port: int) -> ByteStream:
        """Connect, unless the address is one of this machine's own."""
        if _is_own(address, port):
            raise PermissionError(f"{address} is an address of this machine")
        return await anyio.connect_tcp(address, port)

    async def connect(self, name: str, port: int) -> ByteStream:
        """Connect wherever the name leads, also to this machine."""
        return await anyio.connect_tcp(name, port)


def _is_own(address: str, port: int) -> bool:
    # Connecting a datagram socket sends nothing; it asks the kernel for the way. A packet to
    # ourselves has the same address at both ends.
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, port))
        except OSError:
            return False
        return ip_address(probe.getsockname()[0]) == ip_address(address)
