"""Servers that nobody here wrote: how the gateway is told of them, and what each is asked."""

import socketserver
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from typing import Any

from tests.cli.gateways import Place
from tests.e2e.conftest import add_fixed
from tests.toolchain import Toolchain

PAGE = b"<html><body><h1>Fetched</h1><p>through the gateway</p></body></html>"
SHOWN = "data:text/html,<title>Inside</title><h1>Hello from the sandbox</h1>"
BROWSER_PROFILE = {
    "memory_mb": 1536,
    "processes": 256,
    "open_files": 4096,
    "shared_memory_mb": 64,
}
STEPS = 3
ANSWER = {"name": "Ada Lovelace"}
_NUMBERS = count(1)
"""An entity that exists already is not made again."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a client asks of one server, and what the answer to the call must hold."""

    tool: str
    arguments: Mapping[str, Any]
    expected: str
    resources: bool = False
    """Whether it lists resources, the first of which can be read."""
    prompt: Mapping[str, Any] | None = None
    slow: Mapping[str, Any] | None = None
    """A call that reports its progress in STEPS steps."""
    asking: str | None = None
    """A tool that asks its user for something."""
    given: Mapping[str, Any] | None = None
    """What the user answers."""

    def at(self, url: str) -> dict[str, Any]:
        """Return it as client.mjs reads it."""
        return {"url": url, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Outside:
    """What the servers work on: a page on loopback and a Git repository."""

    page: str
    repository: Path


class _Page(BaseHTTPRequestHandler):
    """Answers every GET with one page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@contextmanager
def serve_page() -> Generator[str]:
    """Serve the page and yield its address."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def make_repository(folder: Path) -> Path:
    """Make a Git repository with one commit, readable by every user."""
    run = ("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder))
    subprocess.run(("git", "init", "-q", str(folder)), check=True)
    (folder / "file.txt").write_text("content\n", encoding="utf-8")
    subprocess.run((*run, "add", "."), check=True)
    subprocess.run((*run, "commit", "-qm", "First commit"), check=True)
    for part in (folder, *folder.rglob("*")):
        part.chmod(0o755 if part.is_dir() else 0o644)
    return folder


def add_servers(place: Place, toolchain: Toolchain, outside: Outside) -> None:
    """Write all seven as fixed servers that are only a command."""
    readable = [str(path) for path in toolchain.read_only]
    memory = str(_data(place, "memory") / "memory.jsonl")
    browser = ("--headless", "--isolated", "--browser", "chromium", "--no-sandbox")
    program = ("--executable-path", str(toolchain.browser))
    arguments: dict[str, tuple[str, ...]] = {
        "fetch": ("--ignore-robots-txt", "--allow-private-ips"),
        "filesystem": (str(_data(place, "filesystem")),),
        "playwright": (*browser, *program),
    }
    metadata: dict[str, dict[str, object]] = {
        "time": {},
        "git": {"read_only": [*readable, str(outside.repository)]},
        "fetch": {"network": "full"},
        "everything": {},
        "filesystem": {},
        "memory": {"environment": {"MEMORY_FILE_PATH": memory}},
        "playwright": {"limits": BROWSER_PROFILE, "unix_sockets": True},
    }
    for name, given in metadata.items():
        command = [*toolchain.command(name), *arguments.get(name, ())]
        add_fixed(place, name, {"command": command, "read_only": readable, **given})


def errands(place: Place, outside: Outside) -> dict[str, Errand]:
    """Return what each server is asked."""
    note = str(_data(place, "filesystem") / "note.txt")
    entity = {
        "name": f"relay {next(_NUMBERS)}",
        "entityType": "thing",
        "observations": ["passes bytes"],
    }
    operation = {"duration": 0.3, "steps": STEPS}
    return {
        "time": Errand("get_current_time", {"timezone": "Europe/Berlin"}, "Europe/Berlin"),
        "git": Errand("git_log", {"repo_path": str(outside.repository)}, "First commit"),
        # Where Node is installed, its conversion to text would run npm inside its own package.
        "fetch": Errand("fetch", {"url": outside.page, "raw": True}, "through the gateway"),
        "everything": Errand(
            "echo",
            {"message": "hello"},
            "Echo: hello",
            resources=True,
            prompt={"name": "simple-prompt"},
            slow={"tool": "trigger-long-running-operation", "arguments": operation},
            asking="trigger-elicitation-request",
            given=ANSWER,
        ),
        "filesystem": Errand("write_file", {"path": note, "content": "kept"}, "Successfully wrote"),
        "memory": Errand("create_entities", {"entities": [entity]}, "relay", resources=True),
        "playwright": Errand("browser_navigate", {"url": SHOWN}, "Page Title: Inside"),
    }


def _data(place: Place, server: str) -> Path:
    return place.home / "servers" / server / "data"
