"""How one environment is built: the folders it is built in and the programs that build it.

Every program runs confined like a server. Wheels are only unpacked, so that no code of a package
runs during a build; the step that could be asked to run some has neither network nor cache.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandboxes import interpreter
from sandboxes.environment import SYSTEM_PATH
from sandboxes.errors import SandboxError
from sandboxes.launch import Launch, prepare
from sandboxes.limits import tree
from sandboxes.network import way_out
from sandboxes.network.hosts import Target
from sandboxes.network.way_out import Egress
from sandboxes.ownership import UID_BASE, UID_SPAN, give, make_folders
from sandboxes.packages.index_hosts import node_hosts, python_hosts
from sandboxes.packages.recipe import NodeRecipe, PythonRecipe, Recipe, declared_packages
from sandboxes.policy import MIB, Level, Limits, Network, NetworkMode, Policy

MAX_BYTES = 4 * 1024**3
"""An environment that is larger is refused, and a download cache that is larger is emptied."""
MAX_FILES = 1_000_000
"""The largest environments of science have a tenth of it."""
FINISH = interpreter.SANDBOXES / "packages" / "finish.py"
LIMITS = Limits(
    memory_bytes=2048 * MIB,
    address_space_bytes=None,
    processes=256,
    open_files=4096,
    file_size_bytes=4096 * MIB,
)
"""Resolvers open many files at once, and single wheels pass a gigabyte."""


class BuildRefused(SandboxError):
    """An environment cannot be built here; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """Where this machine gets packages from, as uv and npm are told."""

    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    uv_config: Path | None = None
    """The machine's `uv.toml`."""
    readable: tuple[Path, ...] = ()
    """Certificate files that the variables name."""
    further_hosts: tuple[Target, ...] = ()
    """Where packages are kept besides, as far as the indexes themselves do not say it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What builds, and how tightly it is confined."""

    python: Path
    """Interpreter of Python servers; environments are made from its installation."""
    uv: Path
    level: Level
    uid_base: int = UID_BASE
    index: PackageIndex = field(default_factory=PackageIndex)
    closed_ports: tuple[int, ...] = ()
    """Ports of this machine, such as the gateway's own, that a download cannot connect to."""
    max_bytes: int = MAX_BYTES

    @property
    def uid(self) -> int | None:
        """The user of builds: the one after those of servers and those of runs."""
        if os.geteuid() != 0 or self.level is Level.OFF:
            return None
        return self.uid_base + 2 * UID_SPAN


@dataclass(frozen=True, slots=True)
class Site:
    """The folders of one build."""

    folder: Path
    cache: Path
    """What was downloaded, for all builds that run no code of a package."""

    @property
    def files(self) -> Path:
        """The environment itself; writable while it is built."""
        return self.folder / "files"

    @property
    def home(self) -> Path:
        """HOME of the build; removed after it."""
        return self.folder / "home"

    @property
    def requirements(self) -> Path:
        """What uv reads."""
        return self.folder / "requirements.txt"

    @property
    def stamp(self) -> Path:
        """Written last: without it the folder counts for nothing."""
        return self.folder / "ready.json"

    def is_ready(self) -> bool:
        """Return whether the environment was finished and its interpreter is still there."""
        node_modules = self.files / "node_modules"
        whole = (self.files / "bin" / "python").exists() or node_modules.is_dir()
        return self.stamp.is_file() and whole


@dataclass(frozen=True, slots=True)
class Built:
    """A finished environment. None: it was built by a version that did not note it."""

    key: str
    at: int | None
    """Milliseconds UTC."""
    bytes: int | None
    """Space on disk."""


@dataclass(frozen=True, slots=True)
class Step:
    """One program of a build."""

    label: str
    command: tuple[str, ...]
    fetches: bool = False
    """Whether it gets the cache, and the package index by network."""


def steps(recipe: Recipe, site: Site, tools: Tools) -> tuple[Step, ...]:
    """Return the programs that build an environment, in their order.

    Raises:
        BuildRefused: uv or npm is not on this machine.
    """
    base = str(tools.python.resolve())
    finish = Step("compiling", (base, "-I", "-S", "-B", str(FINISH), str(site.files)))
    if isinstance(recipe, NodeRecipe):
        return (_npm(recipe), finish)
    uv, python = uv_program(tools), str(site.files / "bin" / "python")
    wheels = () if recipe.source_builds else ("--only-binary", ":all:")
    # What no digest was asked of must not slip in beside packages that were pinned to theirs.
    digests = ("--require-hashes",) if recipe.is_locked else ()
    install = (uv, "pip", "install", "--python", python, "--no-sources", *wheels, *digests)
    return (
        Step(
            "making a virtual environment",
            (uv, "venv", "--quiet", "--no-project", "--python", base, str(site.files)),
        ),
        Step("resolving packages", (*install, "-r", str(site.requirements)), fetches=True),
        finish,
    )


def lay_out(recipe: Recipe, site: Site, tools: Tools) -> None:
    """Make the folders of a build, in place of what an interrupted one left. Blocking.

    Raises:
        SandboxError: they cannot be handed to the user of builds.
    """
    shutil.rmtree(site.folder, ignore_errors=True)
    site.folder.mkdir(parents=True)
    site.folder.chmod(0o755)
    if isinstance(recipe, PythonRecipe):
        site.requirements.write_text("\n".join(recipe.requirements) + "\n", encoding="utf-8")
        site.requirements.chmod(0o644)
    site.files.mkdir()
    site.home.mkdir()
    if isinstance(recipe, NodeRecipe):
        (site.files / "package.json").write_text(recipe.package, encoding="utf-8")
        if recipe.lock is not None:
            (site.files / "package-lock.json").write_text(recipe.lock, encoding="utf-8")
    if tools.index.uv_config is not None:
        copy = site.home / ".config" / "uv" / "uv.toml"
        copy.parent.mkdir(parents=True)
        shutil.copyfile(tools.index.uv_config, copy)
    make_folders(site.files, site.home, tools.uid)
    site.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    if tools.uid is not None:
        give(site.cache, tools.uid)


def launch(step: Step, recipe: Recipe, site: Site, tools: Tools) -> Launch:
    """Return how to start one program of a build. Blocking.

    Raises:
        SandboxError: it cannot be confined as asked.
    """
    builds_sources = isinstance(recipe, PythonRecipe) and recipe.source_builds
    # Code of a package must not reach what other environments are made from.
    shared = step.fetches and not builds_sources
    cache = site.cache if shared else site.home / "cache"
    python = tools.python.resolve()
    read_only = [*interpreter.folders(python)]
    if isinstance(recipe, PythonRecipe):
        read_only += [tools.uv, site.requirements]
    proxied = egress_of(step, recipe, tools) is not None
    shared_network = step.fetches and not proxied
    policy = Policy(
        level=tools.level,
        data_dir=site.files,
        read_only=(*read_only, *(tools.index.readable if step.fetches else ())),
        read_write=(site.home, cache) if shared else (site.home,),
        network=Network(NetworkMode.FULL if shared_network else NetworkMode.NONE),
        limits=LIMITS,
        listeners=(way_out.PORT,) if proxied else (),
        closed_ports=tools.closed_ports,
        uid=tools.uid,
    )
    env = _environment(site, cache) | _told_of_index(step, tools.index, proxied=proxied)
    return prepare(step.command, env=env, cwd=site.files, policy=policy)


def egress_of(step: Step, recipe: Recipe, tools: Tools) -> Egress | None:
    """Return what a program reaches by a proxy of its own: the index; None: it has no proxy."""
    if not step.fetches or tools.level is not Level.STRONG:
        return None
    index = tools.index
    if isinstance(recipe, NodeRecipe):
        hosts = node_hosts(index.variables, step.command[0])
    else:
        hosts = python_hosts(index.variables, index.uv_config)
    return Egress(listed=(*hosts, *index.further_hosts), holder="build")


def _told_of_index(step: Step, index: PackageIndex, *, proxied: bool) -> dict[str, str]:
    if not step.fetches:
        return {}
    if not proxied:
        return dict(index.variables)
    # The machine's own proxy is asked by ours, which alone knows its password.
    told = {
        name: value
        for name, value in index.variables.items()
        if not name.upper().endswith("_PROXY")
    }
    return told | way_out.ENVIRONMENT


def write_stamp(recipe: Recipe, site: Site, built_at: int) -> None:
    """Say that the environment is finished, and remove what only its build needed. Blocking.

    `built_at`: now, in milliseconds UTC.
    """
    shutil.rmtree(site.home, ignore_errors=True)
    size = tree.measure((site.files,), max_entries=MAX_FILES)
    facts = {
        "packages": declared_packages(recipe), "built_at": built_at, "bytes": size.bytes,
    }  # fmt: skip
    beside = site.folder / "ready.new"
    beside.write_text(json.dumps(facts), encoding="utf-8")
    beside.rename(site.stamp)


def read_stamp(site: Site) -> Built:
    """Return what is known of a finished environment. Blocking."""
    try:
        facts: dict[str, int] = json.loads(site.stamp.read_text("utf-8"))
    except (OSError, ValueError):
        facts = {}
    return Built(site.folder.name, facts.get("built_at"), facts.get("bytes"))


def uv_program(tools: Tools) -> str:
    """Return the path of uv. Raises BuildRefused."""
    if not tools.uv.exists():
        raise BuildRefused(f"{tools.uv} is not there; run ./claude-runner once to install it.")
    return str(tools.uv)


def npm_program() -> str:
    """Return the path of npm. Raises BuildRefused."""
    npm = shutil.which("npm", path=SYSTEM_PATH)
    if npm is None:
        raise BuildRefused(
            "npm is not installed, and the server has a package.json; run: apt-get install npm"
        )
    return npm


def _npm(recipe: NodeRecipe) -> Step:
    verb = "install" if recipe.lock is None else "ci"
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error")
    return Step("installing packages", (npm_program(), verb, *quiet), fetches=True)


def _environment(site: Site, cache: Path) -> dict[str, str]:
    return {
        "PATH": SYSTEM_PATH,
        "HOME": str(site.home),
        "TMPDIR": str(site.home / "tmp"),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "UV_CACHE_DIR": str(cache / "uv"),
        # The cache outlives the environments, and a hard link would be one file in both.
        "UV_LINK_MODE": "copy",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "npm_config_cache": str(cache / "npm"),
        "npm_config_update_notifier": "false",
        # A lock names addresses; packages come from the machine's registry whatever it says.
        "npm_config_replace_registry_host": "always",
    }
