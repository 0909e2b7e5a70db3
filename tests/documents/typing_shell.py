"""A real shell in a folder where `./claude-runner` is the command line, run in this process.

tests/bootstrap shows the root script itself; here the commands of documents spare its start.
"""

import array
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli.__main__ import main

BLOCK_S = 60
REQUEST_BYTES = 65_536
STREAMS = 3
PROGRAM = """#!{python} -IS
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
    door.connect({door!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    streams = array.array("i", [0, 1, 2])
    door.sendmsg([asked], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    sys.exit(int(door.recv(16)))
"""


@dataclass(frozen=True, slots=True)
class Typist:
    """Types into a shell whose home is `folder`."""

    folder: Path
    env: Mapping[str, str]
    door: socket.socket

    def type(self, script: str) -> str:
        """Return what a script printed, every command of which must succeed."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
            shell = subprocess.Popen(
                ["/bin/sh", "-euc", script],
                cwd=self.folder,
                env={**self.env, "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
            self._serve(shell.pid)
            status = shell.wait(BLOCK_S)
            printed.seek(0)
            said = printed.read()
        assert status == 0, f"{script}\n{said}"
        return said

    def json(self, command: str) -> Any:
        """Return the JSON that a command prints."""
        return json.loads(self.type(command))

    def _serve(self, shell: int) -> None:
        """Carry out commands until the shell has ended."""
        ended = os.pidfd_open(shell)
        with selectors.DefaultSelector() as watched:
            for each in (ended, self.door):
                watched.register(each, selectors.EVENT_READ)
            while not any(key.fileobj == ended for key, _ in watched.select()):
                connection, _ = self.door.accept()
                with connection:
                    connection.send(str(_carry_out(connection)).encode())
        os.close(ended)


def _carry_out(connection: socket.socket) -> int:
    """Return the exit status of one command, whose streams came along."""
    space = socket.CMSG_SPACE(STREAMS * array.array("i").itemsize)
    said, rights, _, _ = connection.recvmsg(REQUEST_BYTES, space)
    arguments, cwd, env = json.loads(said)
    fds = array.array("i")
    fds.frombytes(rights[0][2])
    before, typed, folder = dict(os.environ), sys.stdin, Path.cwd()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    try:
        with ExitStack() as stack:
            sys.stdin = stack.enter_context(os.fdopen(fds[0], "r", encoding="utf-8"))
            out = stack.enter_context(os.fdopen(fds[1], "w", encoding="utf-8"))
            err = stack.enter_context(os.fdopen(fds[2], "w", encoding="utf-8"))
            with redirect_stdout(out), redirect_stderr(err):
                try:
                    return main(arguments)
                except SystemExit as left:
                    return int(left.code or 0)
    finally:
        sys.stdin = typed
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def typist(folder: Path, env: Mapping[str, str]) -> Generator[Typist]:
    """Have `./claude-runner` in `folder` while the body runs."""
    # A socket's path has at most 107 bytes.
    short = tempfile.mkdtemp(prefix="door-")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.bind(f"{short}/s")
            door.listen()
            program = folder / "claude-runner"
            text = PROGRAM.format(python=sys.executable, door=f"{short}/s")
            program.write_text(text, "utf-8")
            program.chmod(0o755)
            yield Typist(folder, env, door)
    finally:
        shutil.rmtree(short)
