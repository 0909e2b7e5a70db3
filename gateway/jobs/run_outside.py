"""What runs reach of the outside: everything but this gateway's own public address.

A payload may order a model to post to a webhook, to `/mcp` or to the dashboard. From inside a run's
network no address of this machine is in reach; this closes the way around, by the public name.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream

from gateway.store import Store
from sandboxes.network.addresses import Address, ends
from sandboxes.network.outside import Outside
from sandboxes.network.proxy_request import Refusal

Names = Callable[[], Awaitable[Collection[str]]]


def own_names(store: Store, address: Callable[[], str]) -> Names:
    """Return what tells the host names under which others reach this gateway now.

    `address` returns the public address; senders of webhooks may have been given another one.
    """

    async def names() -> Collection[str]:
        given = (address(), str(await store.settings.get("webhook_base_url")))
        hosts = (urlsplit(each).hostname for each in given)
        return {host.rstrip(".") for host in hosts if host}

    return names


class OutsideButUs:
    """An outside in which this gateway cannot be reached, under whatever name leads to it.

    Other addresses of a front that carries many hosts are not known to be ours.
    """

    def __init__(self, outside: Outside, names: Names) -> None:
        self._outside = outside
        self._names = names
        self._last: dict[str, frozenset[Address]] = {}
        """Where our names led when they were last found."""

    async def resolve(self, name: str, port: int) -> Sequence[str]:
        """Return the addresses of a name. Raises OSError, and Refusal for our own ones.

        Ours are looked up each time, because a tunnel's move. Another name for them is refused
        too: behind it a request could still say that it is for us.
        """
        names = await self._names()
        if name in names:
            raise _refusal(name, port)
        found: list[str] = []
        ours: set[Address] = set()

        async def find_ours(own: str) -> None:
            ours.update(await self._of_ours(own, port))

        async with anyio.create_task_group() as group:
            for own in names:
                group.start_soon(find_ours, own)
            found += await self._outside.resolve(name, port)
        if not ours.isdisjoint(_ends_of(found)):
            raise _refusal(name, port)
        return found

    async def dial(self, address: str, port: int) -> ByteStream:
        """Return a connection to this address. Raises OSError."""
        return await self._outside.dial(address, port)

    async def connect(self, name: str, port: int) -> ByteStream:
        """Return a connection to a host that the owner named. Raises OSError."""
        return await self._outside.connect(name, port)

    async def _of_ours(self, own: str, port: int) -> frozenset[Address]:
        try:
            self._last[own] = _ends_of(await self._outside.resolve(own, port))
        except (OSError, UnicodeError):
            # What it led to when it was last found; what never led anywhere from here leads to us
            # by no other name either.
            return self._last.get(own, frozenset())
        return self._last[own]


def _ends_of(addresses: Iterable[str]) -> frozenset[Address]:
    """Return where packets end: an address may carry another one inside."""
    return frozenset(end for each in addresses for end in ends(ip_address(each)))


def _refusal(name: str, port: int) -> Refusal:
    target = f"{name}:{port}"
    sentence = f"{target} is the gateway that carries out this run; a run cannot call it."
    return Refusal(HTTPStatus.FORBIDDEN, target, sentence)
