"""The network beyond the proxy, for tests: names we make up, and loopback behind public addresses.

The proxy's own rules stay in force: a fake name has a public address, which only the fake's dial
knows to be a server of the test.
"""

import socket
from collections.abc import Sequence

import anyio
from anyio.abc import ByteStream

PUBLIC = "93.184.216.34"
"""A public address of no meaning; nothing is sent to it."""


class FakeOutside:
    """Names with addresses, one answer after the other, and the ports that stand behind them."""

    def __init__(
        self, names: dict[str, list[list[str]]], ports: dict[tuple[str, int], int] | None = None
    ) -> None:
        self.resolved: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self._names = names
        self._ports = ports or {}

    async def resolve(self, name: str, port: int) -> Sequence[str]:
        """Return the next answer for a name; the last one for ever."""
        self.resolved.append(name)
        if name not in self._names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        answers = self._names[name]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def dial(self, address: str, port: int) -> ByteStream:
        """Connect to the loopback port that stands behind an address."""
        self.dialled.append((address, port))
        behind = self._ports.get((address, port))
        if behind is None:
            raise ConnectionRefusedError
        return await anyio.connect_tcp("127.0.0.1", behind)

    async def connect(self, name: str, port: int) -> ByteStream:
        """Connect to a host that the owner named, in the same way."""
        return await self.dial((await self.resolve(name, port))[0], port)
