"""Tells systemd that the gateway is ready, alive, or about to end (sd_notify(3))."""

import logging
import socket

import anyio

from gateway.service.manager import ServiceManager

log = logging.getLogger(__name__)

SIGNS_PER_WATCHDOG = 3
"""Two may come late before systemd ends us."""


class Telling:
    """One datagram for each thing that is told; nothing where nobody listens."""

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager

    def ready(self, status: str) -> None:
        """Say that requests are answered from now on, and in one line how things are."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1\nSTATUS=Ending: what is going on is finished first.")

    async def keep_alive(self) -> None:
        """Give signs of life for as long as the event loop turns, if somebody waits for them."""
        if self._manager.watchdog_s is None:
            return
        while True:
            self._send("WATCHDOG=1")
            await anyio.sleep(self._manager.watchdog_s / SIGNS_PER_WATCHDOG)

    def _send(self, message: str) -> None:
        place = self._manager.notify_socket
        if place is None:
            return
        address = f"\0{place[1:]}" if place.startswith("@") else place
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            # A full queue must not hold the event loop.
            sock.settimeout(0)
            try:
                sock.sendto(message.encode(), address)
            except OSError as error:
                log.warning("The service manager cannot be told how we are: %s", error.strerror)
