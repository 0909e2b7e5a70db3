"""Other gateways: which versions, how they are installed, and how each is started."""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

INSTALL_S = 300
Command = Sequence[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """A gateway of somebody else's."""

    name: str
    package: str
    """With its version; empty when it is among our own packages."""
    command: Callable[[Path, Command, int], list[str]]
    """From the folder where it is installed, the server's command, and the port to listen on."""
    path: str = "/mcp"
    rest: bool = False

    @property
    def by_npm(self) -> bool:
        """True for a program of Node's."""
        return "@" in self.package

    def folder(self, peers: Path) -> Path:
        """Return where it is installed."""
        return peers / self.package.replace("@", "-").replace("==", "-")

    def install(self, peers: Path) -> None:
        """Install it unless it is there. Raises OSError with what went wrong."""
        folder = self.folder(peers)
        if not self.package or folder.exists():
            return
        beside = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            if self.by_npm:
                _run("npm", "install", "--no-audit", "--no-fund", "--prefix", beside, self.package)
            else:
                uv = find_uv_bin()
                _run(uv, "venv", "--python", sys.executable, "--relocatable", beside / "venv")
                _run(uv, "pip", "install", "--python", beside / "venv/bin/python", self.package)
        except subprocess.SubprocessError as error:
            raise OSError(f"{self.package} cannot be installed: {error}") from error
        beside.rename(folder)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S)


def environ(folder: Path) -> dict[str, str]:
    """Return the environment in which peers run."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "NO_COLOR": "1",
        # ContextForge does not start without them, nor with any that look made up.
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "AUTH_ENCRYPTION_SECRET": secrets.token_urlsafe(48),
    }


def _python(folder: Path) -> str:
    return str(folder / "venv/bin/python")


def _node(folder: Path, script: str) -> list[str]:
    return ["node", str(folder / "node_modules" / script)]


def _fastmcp(_: Path, server: Command, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.relay.fastmcp_proxy", str(port), *server]


def _mcp_proxy(folder: Path, server: Command, port: int) -> list[str]:
    options = ["--port", str(port), "--pass-environment", "--log-level", "WARNING"]
    return [_python(folder), "-m", "mcp_proxy", *options, "--", *server]


def _supergateway(folder: Path, server: Command, port: int) -> list[str]:
    options = ["--outputTransport", "streamableHttp", "--stateful", "--logLevel", "none"]
    script = _node(folder, "supergateway/dist/index.js")
    return [*script, "--stdio", shlex.join(server), *options, "--port", str(port)]


def _mcp_hub(folder: Path, server: Command, port: int) -> list[str]:
    config = folder / f"{port}.json"
    config.write_text(
        json.dumps({"mcpServers": {"measured": {"command": server[0], "args": list(server[1:])}}}),
        encoding="utf-8",
    )
    script = _node(folder, "mcp-hub/dist/cli.js")
    return [*script, "--port", str(port), "--config", str(config)]


def _contextforge(folder: Path, server: Command, port: int) -> list[str]:
    options = ["--expose-streamable-http", "--jsonResponse", "--stateless", "--logLevel", "error"]
    module = [_python(folder), "-m", "mcpgateway.translate", "--stdio", shlex.join(server)]
    return [*module, *options, "--host", "127.0.0.1", "--port", str(port)]


PEERS = (
    Peer("FastMCP proxy", "", _fastmcp),
    Peer("mcp-proxy", "mcp-proxy==0.13.0", _mcp_proxy),
    Peer("supergateway", "supergateway@4.0.0", _supergateway),
    Peer("mcp-hub (REST)", "mcp-hub@4.2.1", _mcp_hub, "/api/servers/tools", rest=True),
    Peer("ContextForge translate", "mcp-contextforge-gateway==1.0.7.post20260921", _contextforge),
)
