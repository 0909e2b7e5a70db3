"""The Claude CLI that comes with the Agent SDK, as its user has it on a terminal."""

import fcntl
import json
import os
import re
import struct
import subprocess
import termios
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import claude_agent_sdk
import httpx2

from tests.oauth.parts import Browser

PROGRAM = str(Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude")
SERVER = "gateway"
COLUMNS = 4000
"""An address is printed on one line."""
CHUNK = 65536
_LINK = re.compile(rb"\x1b\]8;;(http[^\x07\x1b]+)")
PROMPT = b"paste the redirect URL here: "


@dataclass
class ClaudeCli:
    """One user's CLI, with a folder of its own."""

    folder: Path

    async def add(self, url: str, *options: str, **env: str) -> None:
        """Tell it of a server."""
        await self._run(
            "mcp", "add", "--transport", "http", "-s", "user", *options, SERVER, url, **env
        )

    async def login(self, browser: Browser) -> str:
        """Sign in, the owner approving in a browser elsewhere; return what it printed."""
        async with self._on_a_terminal("mcp", "login", "--no-browser", SERVER) as terminal:
            printed = await _read(terminal, PROMPT)
            link = _LINK.search(printed)
            assert link is not None, printed
            page = await browser.open(link[1].decode())
            sent = await browser.submit(link[1].decode(), page.text)
            # The browser is on the same machine: the CLI listens for its own answer.
            async with httpx2.AsyncClient(trust_env=False) as http:
                assert (await http.get(sent.headers["Location"])).status_code == 200
            return (printed + await _read(terminal, None)).decode()

    async def status(self) -> str:
        """Return what it says of its servers after connecting to them."""
        return await self._run("mcp", "list")

    def expire(self) -> str:
        """Have it believe that its access token expired; return its refresh token."""
        path = self.folder / ".credentials.json"
        kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
        (server,) = kept["mcpOAuth"].values()
        server |= {"expiresAt": 1, "accessToken": "cra_expired"}
        path.write_text(json.dumps(kept), "utf-8")
        return server["refreshToken"]

    def tokens(self) -> dict[str, Any]:
        """Return what it keeps for the server."""
        kept = json.loads((self.folder / ".credentials.json").read_text("utf-8"))
        (server,) = kept["mcpOAuth"].values()
        return server

    def _env(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "CLAUDE_CONFIG_DIR": str(self.folder),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "TERM": "dumb",
        }

    async def _run(self, *arguments: str, **env: str) -> str:
        done = await anyio.run_process(
            [PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env={**self._env(), **env},
            stderr=subprocess.STDOUT,
        )
        return done.stdout.decode()

    @asynccontextmanager
    async def _on_a_terminal(self, *arguments: str) -> AsyncGenerator[int]:
        """Run a command that wants one; give its other end. The command must succeed."""
        ours, its = os.openpty()
        try:
            fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
            command = [PROGRAM, *arguments]
            process = await anyio.open_process(
                command,
                stdin=its,
                stdout=its,
                stderr=its,
                cwd=self.folder,
                env=self._env(),
                start_new_session=True,
            )
        finally:
            os.close(its)
        try:
            async with process:
                yield ours
                assert await process.wait() == 0
        finally:
            os.close(ours)


async def _read(terminal: int, end: bytes | None) -> bytes:
    """Return what is printed up to `end`; None: until the command is over."""
    printed = b""
    while end is None or end not in printed:
        await anyio.wait_readable(terminal)
        try:
            printed += os.read(terminal, CHUNK)
        except OSError:
            # EIO: nobody has the other end open any more.
            return printed
    return printed
