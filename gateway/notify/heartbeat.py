"""Tells a service outside that the gateway is alive, in the way of Healthchecks (HEALTHCHECK_URL).

Silence is the alarm: that service calls the owner when nothing comes for a while. Success is told
from when the gateway is ready, a failure when an error ends it; an end that was asked for is not
told. The address is a secret: whoever knows it could keep the alarm quiet.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import anyio

from gateway.notify.errors import NotSent
from gateway.notify.posting import post_empty
from gateway.secret import Secret

log = logging.getLogger(__name__)

BEAT_EVERY_S = 60.0
LAST_WORD_S = 5.0
"""How long an end waits for the failure to be told."""


class Heartbeat:
    """Regular signs of life at one address; none without an address."""

    def __init__(
        self,
        address: Secret | None,
        until_ready: Callable[[], Awaitable[object]],
        every_s: float = BEAT_EVERY_S,
    ) -> None:
        self._address = address
        self._until_ready = until_ready
        self._every_s = every_s
        self._silent = False

    async def run(self) -> None:
        """Send them from when the gateway is ready until cancelled."""
        if self._address is None:
            return
        await self._until_ready()
        while True:
            await self._beat(self._address)
            await anyio.sleep(self._every_s)

    async def _beat(self, address: Secret) -> None:
        try:
            await post_empty(address)
        except NotSent as error:
            if not self._silent:
                log.warning("The service of HEALTHCHECK_URL cannot be told: %s", error)
            self._silent = True
        else:
            self._silent = False


@asynccontextmanager
async def failure_told(address: Secret | None) -> AsyncGenerator[None]:
    """Tell the service when an error leaves the body."""
    try:
        yield
    except Exception:
        if address is not None:
            await _tell_failure(address)
        raise


async def _tell_failure(address: Secret) -> None:
    with anyio.move_on_after(LAST_WORD_S, shield=True):
        try:
            await post_empty(_fail_address(address))
        except NotSent as error:
            log.warning("The service of HEALTHCHECK_URL cannot be told of the end: %s", error)


def _fail_address(address: Secret) -> Secret:
    parts = urlsplit(address.reveal())
    return Secret(urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/fail")))
