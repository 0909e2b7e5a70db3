"""From what a client starts to the folder of a server, and what that server is allowed. Pure but
for looks at which paths exist.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.importing.plans import CannotImport, Plan, Program, server_name
from sandboxes.environment import check_name
from sandboxes.errors import RefusedName

NPX_OPTIONS = frozenset({"-y", "--yes", "-q", "--quiet"})
CONTAINERS = frozenset({"docker", "podman", "nerdctl"})
SHELLS = frozenset({"sh", "bash", "zsh", "cmd", "cmd.exe", "powershell", "pwsh", "env"})
SECRET_ARGUMENT = re.compile(r"(?i)(key|token|secret|password|passwd|credential|bearer)")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!-]*")
START = """\
// Starts the program of the package, as npx would.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// Beside this file or in a folder above it: that depends on the sandbox.
const places = createRequire(import.meta.url).resolve.paths("%(package)s");
const root = places.map((each) => join(each, "%(package)s")).find((each) => existsSync(each));
const { bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const own = "%(own)s";
const file = typeof bin === "string" ? bin : (bin[own] ?? Object.values(bin)[0]);
const argv = [join(root, file), ...process.argv.slice(2)];
const child = spawn(process.execPath, argv, { stdio: "inherit" });
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));
"""
NPM_NAME = re.compile(r"(@[a-z0-9._~-]+/)?[a-z0-9._~-]+")
PYPI_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?")


@dataclass(frozen=True, slots=True)
class Ground:
    """What planning has to know of this machine."""

    find: Callable[[str], str | None]
    """Where a program is, as shutil.which says."""
    private: tuple[Path, ...]
    """What no server is ever given: our home and the master key, without links in their paths."""
    network: str | list[str] = "none"


@dataclass(frozen=True, slots=True)
class _Started:
    """A command of a server and what it stands on."""

    command: tuple[str, ...]
    files: Mapping[str, str]
    packages: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()


def plan(program: Program, ground: Ground) -> Plan:
    """Return the server that a program would be. Raises CannotImport."""
    name = server_name(program.name)
    _check_arguments(program)
    notes = list(program.notes)
    started = _start(program, ground)
    reads: list[str] = []
    named = program.arguments if program.readable is None else program.readable
    for path in (*map(Path, started.read_only), *_paths(named)):
        if any(own.is_relative_to(path) or path.is_relative_to(own) for own in ground.private):
            raise CannotImport(
                f"Entry {program.name!r} would have to read {path}, where this gateway's home or "
                "master key is; move what it needs into another folder."
            )
        reads.append(str(path))
    values, wanted = _accepted(program, notes)
    metadata = {
        "description": program.description,
        "command": list(started.command),
        "environment": dict(program.plain),
        "credentials": [
            {"key": key, "required": key not in program.optional, "description": purpose}
            for key, purpose in wanted.items()
        ],
        "network": ground.network if isinstance(ground.network, str) else {"hosts": ground.network},
        "read_only": sorted(set(reads)),
        "enabled": False,
    }
    kept: dict[str, Any] = {
        key: value for key, value in metadata.items() if value not in ("", [], {})
    }
    files = {**started.files, "metadata.json": json.dumps(kept, indent=2) + "\n"}
    return Plan(
        name,
        program.name,
        files,
        started.command,
        started.packages,
        ground.network,
        tuple(sorted(set(reads))),
        tuple(wanted),
        tuple(notes),
        values,
        program.plain,
    )


def _start(program: Program, ground: Ground) -> _Started:
    name = Path(program.command).name
    if name == "claude-runner":
        raise CannotImport(f"Entry {program.name!r} starts this program itself.")
    if name in CONTAINERS:
        raise CannotImport(
            f"Entry {program.name!r} starts a container, which a sandbox cannot; name the program "
            "that runs inside of it."
        )
    if name in SHELLS:
        raise CannotImport(
            f"Entry {program.name!r} starts a shell; name the program that it runs instead."
        )
    if name == "npx":
        return _npx(program)
    if name in ("uvx", "pipx") or (name == "uv" and program.arguments[:2] == ("tool", "run")):
        skipped = {"uvx": 0, "pipx": 1, "uv": 2}[name]
        return _uvx(program, program.arguments[skipped:])
    return _plain(program, ground)


def _npx(program: Program) -> _Started:
    # Behind the package, they are the program's own.
    left = list(dropwhile(NPX_OPTIONS.__contains__, program.arguments))
    if not left or left[0].startswith("-"):
        raise CannotImport(
            f"Entry {program.name!r} starts npx with options that are not understood; "
            "write it as npx -y PACKAGE."
        )
    package, version = _split(left[0], "@")
    if not NPM_NAME.fullmatch(package):
        raise CannotImport(f"{left[0][:80]!r} of entry {program.name!r} is no package of npm.")
    said = {"private": True, "dependencies": {package: version or "latest"}}
    files = {
        "package.json": json.dumps(said, indent=2) + "\n",
        "start.mjs": START % {"package": package, "own": package.rpartition("/")[2]},
    }
    return _Started(("node", "./start.mjs", *left[1:]), files, (left[0],))


def _uvx(program: Program, arguments: tuple[str, ...]) -> _Started:
    source, rest = "", list(arguments)
    if rest[:1] in (["--from"], ["--spec"]) and len(rest) > 1:
        source, rest = rest[1], rest[2:]
    if not rest or rest[0].startswith("-"):
        raise CannotImport(
            f"Entry {program.name!r} starts uvx with options that are not understood; "
            "write it as uvx PACKAGE, or uvx --from PACKAGE PROGRAM."
        )
    package, version = _split(source or rest[0], "==" if "==" in (source or rest[0]) else "@")
    if not PYPI_NAME.fullmatch(package):
        raise CannotImport(f"{package[:80]!r} of entry {program.name!r} is no package of PyPI.")
    pinned = f"{package}=={version}" if version and version != "latest" else package
    command = rest[0] if source else package.partition("[")[0]
    return _Started((command, *rest[1:]), {"requirements.txt": f"{pinned}\n"}, (pinned,))


def _split(text: str, separator: str) -> tuple[str, str]:
    """Return name and version; a scope's own @ is none."""
    name, found, version = text.rpartition(separator)
    if not found or not name:
        return text, ""
    return (name, version) if VERSION.fullmatch(version) else (text, "")


def _plain(program: Program, ground: Ground) -> _Started:
    found = ground.find(program.command)
    if found is None:
        raise CannotImport(
            f"The program {program.command[:80]!r} of entry {program.name!r} is not on this"
            " machine."
        )
    place = Path(found).resolve()
    reads = () if str(place).startswith(("/usr/", "/bin/")) else (str(place.parent),)
    return _Started((str(place), *program.arguments), {}, (), reads)


def _paths(arguments: Iterable[str]) -> list[Path]:
    """Return what the arguments name on this machine: folders, and files with their neighbours."""
    found = (Path(each).expanduser() for each in arguments if each.startswith(("/", "~/")))
    there = [path.resolve() for path in found if path.exists()]
    return [path if path.is_dir() else path.parent for path in there]


def _check_arguments(program: Program) -> None:
    """Refuse what looks like a secret: a command stands in a file and in lists of processes."""
    for index, argument in enumerate(program.arguments):
        option, equals, value = argument.partition("=")
        follows = program.arguments[index + 1 : index + 2]
        given = value if equals else next(iter(follows), "")
        named = option.startswith("-") and SECRET_ARGUMENT.search(option)
        if named and given and not given.startswith(("-", "/", "$")):
            raise CannotImport(
                f"Entry {program.name!r} seems to have a secret among its arguments ({option}); "
                "have the server read it from its environment, and put it into env."
            )
        if _has_password(argument):
            raise CannotImport(
                f"Entry {program.name!r} has a password in an address among its arguments; "
                "have the server read the address from its environment, and put it into env."
            )


def _has_password(argument: str) -> bool:
    """Tell whether an address has one, wherever in the argument it begins."""
    for rest in argument.split("//")[1:]:
        try:
            found = urlsplit(f"//{rest}").password
        except ValueError:
            # No address that can be taken apart, such as one with half a bracket.
            found = re.search(r":[^/]+@", rest)
        if found:
            return True
    return False


def _accepted(program: Program, notes: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the secrets with a value, and all that are declared by what they are for."""
    values: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for key in (*program.variables, *program.wanted):
        try:
            check_name(key)
        except RefusedName as error:
            notes.append(str(error).rstrip("."))
            continue
        wanted[key] = program.wanted.get(key, "")
        if key in program.variables:
            values[key] = program.variables[key]
    for key in program.plain:
        try:
            check_name(key)
        except RefusedName as error:
            raise CannotImport(
                f"Server {program.name!r} cannot have a variable: {error}"
            ) from error
    return values, wanted
