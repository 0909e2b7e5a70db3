"""The command line as a process, and a real gateway for it to talk to."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.local import GatewayStarting, LiveGateway, find_live
from gateway.variables import CHECKOUT
from tests import warm_commands
from tests.warm_commands import Done

COMMAND = (sys.executable, "-I", str(CHECKOUT))
CALL_S = 60
START_S = 60.0
LOOK_EVERY_S = 0.05
END_S = 25.0
"""A gateway promises to end within 20 s."""

CODE = """
from fastmcp import FastMCP
mcp = FastMCP("adder")
@mcp.tool
def add(a: int, b: int) -> int:
    return a + b
mcp.run()
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A home and its settings, apart from the checkout's."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, *arguments: str, given: str = "", env: Mapping[str, str] | None = None) -> Done:
        """Run one command to its end."""
        return warm_commands.run(
            arguments,
            env={**self.env(), **(env or {})},
            cwd=self.folder,
            given=given,
            timeout_s=CALL_S,
        )

    def run_python(self, *arguments: str) -> Done:
        """Run this Python with `-c`; the script finds the checkout as its first argument."""
        option, script, *rest = arguments
        return self._start([sys.executable, "-I", option, script, str(CHECKOUT), *rest])

    def run_shell(self, script: str) -> Done:
        """Run a pipeline; $CHECKOUT is the checkout."""
        return self._start(["/bin/sh", "-c", script], env={"CHECKOUT": str(CHECKOUT)})

    def run_with_null_input(self, *arguments: str) -> Done:
        """Run one command whose standard input is no pipe."""
        return self._start(["/bin/sh", "-c", 'exec "$@" </dev/null', "sh", *COMMAND, *arguments])

    def start_bridge(self) -> "subprocess.Popen[str]":
        """Start a bridge, and return it once it has passed a message."""
        process = subprocess.Popen(
            [*COMMAND, "stdio"],
            env=self.env(),
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("junk\n")
        process.stdin.flush()
        assert "-32700" in process.stdout.readline()
        return process

    def _start(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Done:
        return subprocess.run(
            argv,
            input="",
            env={**self.env(), **(env or {})},
            cwd=self.folder,
            capture_output=True,
            encoding="utf-8",
            timeout=CALL_S,
            check=False,
        )

    def json(self, *arguments: str, given: str = "") -> Any:
        """Run one command that must succeed and print JSON."""
        done = self.run(*arguments, given=given)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def env(self) -> dict[str, str]:
        """Return the environment of every command here."""
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "CLAUDE_RUNNER_HOME": str(self.home),
            "FIXED_SERVERS_DIR": str(self.folder / "fixed"),
            "DYNAMIC_SERVERS_DIR": str(self.folder / "dynamic"),
            "MCP_TRANSPORT": "http",
            "PORT": "0",
            # A CLI that waits for nothing takes processor time from the tests.
            "RUN_STANDBY_S": "0",
        }

    @contextmanager
    def gateway(self, **env: str) -> Generator[LiveGateway]:
        """Run a gateway on this home, with these settings too, until the body ends."""
        log = self.folder / "gateway.log"
        with log.open("wb") as stderr, Path(os.devnull).open("r+b") as null:
            process = warm_commands.start(
                ["serve"],
                env={**self.env(), **env},
                cwd=self.folder,
                streams=[null.fileno(), null.fileno(), stderr.fileno()],
            )
        try:
            yield self._wait(process.wait, log)
        finally:
            process.end(END_S)

    @contextmanager
    def cold_gateway(
        self, command: Sequence[str] = (*COMMAND, "serve"), /, **env: str
    ) -> Generator[LiveGateway]:
        """Run a gateway that starts as its owner starts it, with an interpreter of its own."""
        log = self.folder / "gateway.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                command,
                env={**self.env(), **env},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        with process:
            try:
                yield self._wait(process.wait, log)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(END_S)

    def _wait(self, ended: Callable[[float], int], log: Path) -> LiveGateway:
        """Return the gateway once it serves: whatever it logs on the way there is in its log."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with suppress(GatewayStarting):
                if live := find_live(self.home):
                    _ask(live)
                    return live
            with suppress(subprocess.TimeoutExpired):
                status = ended(LOOK_EVERY_S)
                raise AssertionError(f"it ended with {status}: {log.read_text('utf-8')}")
        raise AssertionError(f"no gateway after {START_S} s: {log.read_text('utf-8')}")


def _ask(live: LiveGateway) -> None:
    """Return once it answers; a request before it serves waits in the socket."""
    asked = http.client.HTTPConnection(urlsplit(live.url).netloc, timeout=START_S)
    with closing(asked):
        asked.request("GET", "/healthz")
        assert asked.getresponse().status == 200


def make_place(folder: Path) -> Place:
    """Return a place with empty folders for servers."""
    for name in ("fixed", "dynamic"):
        (folder / name).mkdir()
    return Place(folder)
