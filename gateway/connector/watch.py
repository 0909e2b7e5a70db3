"""Asks the gateway's own public address now and then, and says since when it does not answer."""

import ssl
from collections.abc import Awaitable, Callable

import anyio

from gateway.connector.report import Grade
from gateway.connector.way import check_health
from gateway.connector.web import NoAnswer, Web
from gateway.domain.units import instant

FIRST_AFTER_S = 30.0
"""A proxy of a machine that starts needs a while too."""
ASK_EVERY_S = 300.0
ASK_AGAIN_S = 60.0
"""While it does not answer."""


async def ask_health(base: str) -> str:
    """Return why no gateway answers at `base`, without the last full stop; empty when one does.

    One request that is bounded in time and size; no redirect is followed.
    """
    try:
        # Read anew: the machine may have got its authority since.
        async with Web(base, ssl.create_default_context()) as web:
            answer = await web.ask("GET", "/healthz")
    except (NoAnswer, OSError) as failure:
        return str(failure)
    step = check_health(answer, base)
    return "" if step.grade is Grade.OK else step.wrong.removesuffix(".")


class AddressWatch:
    """Knows since when a public address is out of reach."""

    def __init__(
        self,
        base: str,
        now_ms: Callable[[], int],
        ask: Callable[[str], Awaitable[str]] = ask_health,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._base = base
        self._now_ms = now_ms
        self._ask = ask
        self._sleep = sleep
        self._since: int | None = None
        self._reason = ""

    def trouble(self) -> str:
        """Return one sentence; empty while the address is reached, or was not asked yet."""
        if self._since is None:
            return ""
        since = instant(self._since)
        return f"{self._base} is not reached from this machine since {since}: {self._reason}."

    async def run(self) -> None:
        """Ask until cancelled."""
        await self._sleep(FIRST_AFTER_S)
        while True:
            await self.look()
            await self._sleep(ASK_AGAIN_S if self._reason else ASK_EVERY_S)

    async def look(self) -> None:
        """Ask once."""
        self._reason = await self._ask(self._base)
        if not self._reason:
            self._since = None
        elif self._since is None:
            self._since = self._now_ms()
