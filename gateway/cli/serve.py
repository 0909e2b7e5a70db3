"""``serve``: become the gateway of the home, or, for an MCP client on stdio, a bridge to it."""

import gc
import importlib
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, cast

from gateway.cli.exits import Exit, Failure
from gateway.cli.home import read_settings
from gateway.errors import CannotStart
from gateway.local import GatewayStarting, HomeTaken, LiveGateway, find_live
from gateway.restarting import RestartAsked
from gateway.settings import Settings
from gateway.stdio import MANAGEMENT, bridge
from gateway.stdio_wire import BridgeEnded, stdin_is_pipe
from gateway.variables import Transport
from sandboxes import system

STDIO = frozenset({Transport.STDIO, Transport.BOTH})
START_WAIT_S = 15.0
"""How long a bridge waits for a gateway that another process is starting."""
LOOK_EVERY_S = 0.1


def run(args: Namespace) -> int:
    """Serve until TERM, INT, or the end of standard input where there is nothing else."""
    return serve_or_bridge(read_settings(args))


def serve_or_bridge(settings: Settings, stdio_path: str = MANAGEMENT) -> int:
    """Take the home and serve; where it is taken, be a bridge to its holder. Raises HomeTaken.

    A client on standard input talks to the endpoint at `stdio_path` either way.
    """
    if reason := system.unsupported(sys.platform, settings.sandbox):
        raise Failure(Exit.WRONG_USE, reason)
    try:
        _check_free(settings.home)
        return _gateway()(settings, stdio_path)
    except CannotStart as error:
        raise Failure(Exit.WRONG_USE, str(error)) from error
    except RestartAsked:
        _begin_anew(settings)
    except HomeTaken:
        if settings.mcp_transport not in STDIO or not stdin_is_pipe():
            raise
    return _bridge(settings.home, stdio_path)


def _gateway() -> Callable[[Settings, str], int]:
    """Import the whole gateway, which only the process does that becomes it."""
    # Nothing of it is garbage: to look for some would take an eighth of the start.
    gc.disable()
    try:
        module = importlib.import_module("gateway.serving")
        gc.freeze()
    finally:
        gc.enable()
    return cast("Callable[[Settings, str], int]", module.serve)


def _begin_anew(settings: Settings) -> NoReturn:
    """Become the same command again, with the environment that this process was given.

    The process stays, so that whoever started it, a terminal or systemd, keeps what it started.
    """
    sys.stderr.flush()
    os.execve(sys.executable, sys.orig_argv, dict(settings.read_from.environ))  # noqa: S606 - our own command line


def _check_free(home: Path) -> None:
    try:
        live = find_live(home)
    except GatewayStarting as error:
        raise HomeTaken(home, error.pid) from error
    if live is not None:
        raise HomeTaken(home, live.pid)


def _bridge(home: Path, stdio_path: str) -> int:
    try:
        bridge(_started(home), stdio_path)
    except BridgeEnded as error:
        raise Failure(Exit.FAILED, str(error)) from error
    return Exit.OK


def _started(home: Path) -> LiveGateway:
    """Return the gateway that holds `home`, waiting while it starts."""
    deadline = time.monotonic() + START_WAIT_S
    while True:
        try:
            live = find_live(home)
        except GatewayStarting:
            live = None
        if live is not None:
            return live
        if time.monotonic() > deadline:
            raise Failure(Exit.NO_GATEWAY, f"The gateway of {home} did not come up; start again.")
        time.sleep(LOOK_EVERY_S)
