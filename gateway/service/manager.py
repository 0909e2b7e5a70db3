"""What systemd says to a service through its environment. Above: `settings`, which reads that."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """What started us; without one nothing is set."""

    notify_socket: str | None = None
    """Where it hears how we are (sd_notify(3)); `@` begins a name without a file."""
    watchdog_s: float | None = None
    """It ends us when it hears nothing for that long (sd_watchdog_enabled(3))."""
    sockets: int = 0
    """How many listening sockets it passed, from descriptor 3 on (sd_listen_fds(3))."""


def read_service_manager(environ: Mapping[str, str]) -> ServiceManager:
    """Return what was said to this process; what names another process was said to that one."""
    return ServiceManager(
        notify_socket=environ.get("NOTIFY_SOCKET") or None,
        watchdog_s=_number(environ, "WATCHDOG_USEC", "WATCHDOG_PID") / 1e6 or None,
        sockets=_number(environ, "LISTEN_FDS", "LISTEN_PID"),
    )


def _number(environ: Mapping[str, str], name: str, meant: str) -> int:
    text = environ.get(name, "")
    is_ours = environ.get(meant, str(os.getpid())) == str(os.getpid())
    return int(text) if is_ours and text.isascii() and text.isdigit() else 0
