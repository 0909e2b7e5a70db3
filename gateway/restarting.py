"""A restart that the owner asks for: the gateway ends in order, and its process begins anew.

Above: the page that asks, `serving`, which ends, and `cli.serve`, which begins anew.
"""

import asyncio


class RestartAsked(Exception):
    """The gateway has ended, and is to begin anew."""


class Restart:
    """Whether somebody asked."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def asked(self) -> bool:
        """True once somebody did."""
        return self._event.is_set()

    def ask(self) -> None:
        """Have the gateway end in order and begin anew."""
        self._event.set()

    async def wait(self) -> None:
        """Return when somebody asks."""
        await self._event.wait()
