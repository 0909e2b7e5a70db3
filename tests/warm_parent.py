"""The process that tests/warm_commands.py starts: imports the gateway, then forks for each request.

A fork returns from `wait_for_work` with its request and runs the command line to the end of the
interpreter, as a started process does.
"""

import array
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import MagicMock

CHECKOUT = Path(__file__).resolve().parents[1]
REQUEST_BYTES = 131_072
FDS = 4
"""Three standard streams, and the socket for what becomes of the command."""
LATE = ("fastmcp.server.server", "claude_agent_sdk")
"""What a gateway imports at its first need."""
PROGRAMS = ("__main__", "rehearsal")
"""Modules that do their work where they are imported."""


@dataclass
class Request:
    """A command to run."""

    arguments: list[str]
    env: dict[str, str]
    cwd: str
    fds: list[int]


Watched: TypeAlias = "selectors.DefaultSelector"


def preload() -> None:
    """Import everything that a command may need; nothing of it starts a thread."""
    package = importlib.import_module("gateway")
    for module in pkgutil.walk_packages(package.__path__, "gateway."):
        if not module.name.endswith(PROGRAMS):
            importlib.import_module(module.name)
    for name in LATE:
        importlib.import_module(name)
    importlib.import_module("tests.templates").keep_compiled()
    build_mcp = importlib.import_module("gateway.tools.server").build_mcp
    build_mcp(MagicMock())  # so that the tools' schemas are made
    threads = list(Path("/proc/self/task").iterdir())
    assert len(threads) == 1, "a fork would lack the other threads, and may wait for their locks"
    gc.collect()
    gc.freeze()


def wait_for_work(control: socket.socket) -> Request | None:
    """Fork for each request. Return it in the fork; in the parent None, once the tests ended."""
    with selectors.DefaultSelector() as watched:
        watched.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in watched.select():
                if key.data:
                    _report(watched, key.fd, *key.data)
                    continue
                request = _receive(control)
                if request is None:
                    _end_all(watched)
                    return None
                if _fork(watched, request) == 0:
                    _forget(watched)
                    return request


def _receive(control: socket.socket) -> Request | None:
    space = socket.CMSG_SPACE(FDS * array.array("i").itemsize)
    said, rights, _, _ = control.recvmsg(REQUEST_BYTES, space)
    if not said:
        return None
    fds = array.array("i")
    fds.frombytes(rights[0][2])
    return Request(**json.loads(said), fds=list(fds))


def _fork(watched: Watched, request: Request) -> int:
    """Return 0 in the child."""
    pid = os.fork()
    if pid:
        *streams, news_fd = request.fds
        for fd in streams:
            os.close(fd)
        news = socket.socket(fileno=news_fd)
        news.send(str(pid).encode())
        watched.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, news))
    return pid


def _report(watched: Watched, pidfd: int, pid: int, news: socket.socket) -> None:
    """Say how a child ended to whoever still waits for it."""
    watched.unregister(pidfd)
    os.close(pidfd)
    _, status = os.waitpid(pid, 0)
    with news:
        try:
            news.send(str(os.waitstatus_to_exitcode(status)).encode())
        except BrokenPipeError:
            return


def _end_all(watched: Watched) -> None:
    for key in watched.get_map().values():
        if key.data:
            os.kill(key.data[0], signal.SIGTERM)


def _forget(watched: Watched) -> None:
    """Close in a fork what belongs to its parent."""
    for key in watched.get_map().values():
        if key.data:
            os.close(key.fd)
            key.data[1].close()


def become(request: Request) -> None:
    """Take the streams, the environment and the folder of the command."""
    *streams, news = request.fds
    os.close(news)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    sys.argv = [str(CHECKOUT), *request.arguments]


def main() -> Any:
    """Fork until the tests end; in a fork, run one command line."""
    sys.path.insert(0, str(CHECKOUT))
    preload()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        request = wait_for_work(control)
    if request is not None:
        become(request)
        runpy.run_module("gateway.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
