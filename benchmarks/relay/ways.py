"""The ways to a server that are compared, started and ready for load."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.relay.calls import SMALL, ToolCall
from benchmarks.relay.peers import Peer, environ
from benchmarks.relay.slices import Slice, Target, over_http
from benchmarks.relay.usage import used
from gateway.variables import CHECKOUT, HttpServer
from tests.cli.gateways import make_place
from tests.e2e.conftest import wait_ready

READY_S = 60.0
END_S = 5.0
REST_S = 0.05
REST_SHARE = 0.2
"""A way that uses less than this of a processor has finished what was abandoned."""
REST_ROUNDS = 100
ACCEPT = "application/json, text/event-stream"
VERSION = "2025-06-18"
HELLO = {
    "protocolVersion": VERSION,
    "capabilities": {},
    "clientInfo": {"name": "b", "version": "1"},
}


class NotReady(Exception):
    """A way did not come to answer calls; the message says how it failed."""


@dataclass(frozen=True, slots=True)
class Way:
    """A gateway that answers calls."""

    name: str
    pid: int
    target: Target

    def load(self, call: ToolCall, callers: int, seconds: int) -> Slice:
        """Load it, count what it used, and wait until it rests again."""
        before = used(self.pid)
        shown = over_http(self.target, call, callers, seconds)
        cost = used(self.pid) - before
        self._rest()
        return replace(shown, cpu=cost)

    def _rest(self) -> None:
        """Return once calls that were abandoned with the slice burn no more processor."""
        for _ in range(REST_ROUNDS):
            before = used(self.pid).with_children
            time.sleep(REST_S)
            if used(self.pid).with_children - before < REST_S * REST_SHARE:
                return


@contextmanager
def ours(kind: HttpServer, child: str, folder: Path) -> Generator[Way]:
    """Start the gateway as anybody does, with a token, at level strong."""
    folder.mkdir(mode=0o755)
    place = make_place(folder)
    code = Path(__file__).with_name("children") / child
    (folder / "fixed" / child).mkdir()
    script = (code / "server.py").read_text("utf-8")
    (folder / "fixed" / child / "server.py").write_text(script, encoding="utf-8")
    with place.gateway(HTTP_SERVER=kind.value) as live:
        wait_ready(live)
        token = place.run("token", "create", "--name", "benchmark", "--scope", "admin").stdout
        target = Target(
            f"{live.url}/servers/{child}/mcp", {"Authorization": f"Bearer {token.strip()}"}
        )
        yield Way(f"Claude Runner on {kind}", live.pid, _opened(target))


@contextmanager
def bare(kind: HttpServer, server: Sequence[str], folder: Path) -> Generator[Way]:
    """Start the relay that does nothing else."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.relay.bare", kind.value, str(port), *server]
    with _started(f"bare relay on {kind}", command, port, folder, Target("/mcp", {})) as way:
        yield way


@contextmanager
def theirs(peer: Peer, server: Sequence[str], peers: Path) -> Generator[Way]:
    """Install and start somebody else's gateway. Raises NotReady."""
    try:
        peer.install(peers)
        port = free_port()
        command = peer.command(peer.folder(peers), server, port)
    except OSError as error:
        raise NotReady(str(error)) from error
    with _started(peer.name, command, port, peers, Target(peer.path, {}, rest=peer.rest)) as way:
        yield way


@contextmanager
def _started(
    name: str, command: Sequence[str], port: int, folder: Path, target: Target
) -> Generator[Way]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environ(folder),
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        there = replace(target, url=f"http://127.0.0.1:{port}{target.url}")
        yield Way(name, process.pid, _wait(process, there))
    finally:
        _end(process)


def _wait(process: "subprocess.Popen[bytes]", target: Target) -> Target:
    """Return the target with a session once a call is answered there."""
    problem = "it did not listen"
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotReady(f"it ended with status {process.returncode}")
        try:
            opened = _opened(target)
            _try(opened)
        except (OSError, http.client.HTTPException) as error:
            problem = str(error)
            time.sleep(REST_S)
        else:
            return opened
    raise NotReady(f"no call was answered within {READY_S:g} s: {problem}")


def _opened(target: Target) -> Target:
    """Return the target with the headers of a session, where it has any."""
    if target.rest:
        return target
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}
    _, session = _post(target, json.dumps(hello))
    headers = {**target.headers, "MCP-Protocol-Version": VERSION}
    if session is not None:
        headers["Mcp-Session-Id"] = session
    opened = replace(target, headers=headers)
    _post(opened, '{"jsonrpc":"2.0","method":"notifications/initialized"}')
    return opened


def _try(target: Target) -> None:
    before, after = target.body(SMALL)
    text, _ = _post(target, f"{before}1{after}" if after else before)
    if SMALL.expected not in text:
        raise OSError(f"a call was answered with {text[:200]!r}")


def _post(target: Target, body: str) -> tuple[str, str | None]:
    parts = urlsplit(target.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=READY_S)
    headers = {**target.headers, "Accept": ACCEPT, "Content-Type": "application/json"}
    try:
        connection.request("POST", parts.path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status >= http.client.BAD_REQUEST:
            raise OSError(f"status {answer.status}: {text[:200]!r}")
        return text, answer.getheader("Mcp-Session-Id")
    finally:
        connection.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a peer and whatever it started; many leave their children behind."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family.append(psutil.Process(process.pid))
        family += family[0].children(recursive=True)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for member in family:
            with suppress(psutil.NoSuchProcess):
                end(member)
        psutil.wait_procs(family, timeout=END_S)
    process.wait()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
