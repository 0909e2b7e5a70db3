"""What packages a server declares, read from its folder without running anything.

Python: a PEP 723 block in `server.py`, and `requirements.txt`. Node: `package.json`.
"""

import ast
import json
import platform
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from sandboxes.packages.recipe import NodeRecipe, PythonRecipe, Recipe
from sandboxes.python_server import needs_mcp
from supervisor.errors import InvalidServer
from supervisor.folders.trees import tree_of

SERVER_FILE = "server.py"
REQUIREMENTS_FILE = "requirements.txt"
PACKAGE_FILE = "package.json"
LOCK_FILE = "package-lock.json"
NODE_MODULES = "./node_modules/"
"""What a command begins a path with that means a package of the server's environment."""
MAX_BYTES = 1024 * 1024
MAX_LOCK_BYTES = 16 * 1024 * 1024
MAX_REQUIREMENTS = 500

BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""As PEP 723 gives it."""
HASH = re.compile(r"\s--hash[= ]sha(?:256|384|512):[0-9a-f]+")
ELSEWHERE = re.compile(r'"resolved":\s*"(?!https?://)')
OF_REGISTRY = re.compile(r"(npm:(@[\w.-]+/)?[\w.-]+)?[^/:]*")
COMMENT = re.compile(r"(^|\s)#.*$")


def read_recipe(folder: Path, *, command: bool, source_builds: bool) -> Recipe | None:
    """Return the environment that a server's folder declares; None: it has the shipped one.

    A folder that brings its own `node_modules` keeps it.

    `command`: the server has a command of its own, without which there is no Node server.

    Raises:
        InvalidServer: a declaration is wrong, or asks for more than packages by name.
    """
    code = _text(folder / SERVER_FILE, MAX_BYTES)
    inline = _inline(folder.name, code)
    listed = _text(folder / REQUIREMENTS_FILE, MAX_BYTES)
    package = _text(folder / PACKAGE_FILE, MAX_BYTES) if command else None
    if package is not None and not (folder / "node_modules").is_dir():
        if inline is not None or listed is not None:
            raise InvalidServer(
                f"Server {folder.name!r} has a {PACKAGE_FILE} and Python packages; keep one."
            )
        return _node(folder, package)
    if inline is None and listed is None:
        return None
    lines = (*(inline or ()), *_lines(listed or ""))
    return _python(folder.name, lines, code, source_builds=source_builds)


def check_requirements(server: str, lines: Iterable[str]) -> tuple[str, ...]:
    """Return requirement lines, each once and sorted.

    Raises:
        InvalidServer: one is no package by name; the message quotes it.
    """
    found = {line: _requirement(server, line) for line in lines}
    if len(found) > MAX_REQUIREMENTS:
        raise InvalidServer(f"Server {server!r} declares more than {MAX_REQUIREMENTS} packages.")
    return tuple(sorted(found))


def _python(
    server: str, lines: Iterable[str], code: str | None, *, source_builds: bool
) -> PythonRecipe:
    asked = check_requirements(server, lines)
    named: set[str] = {canonicalize_name(_requirement(server, line).name) for line in asked}
    added = tuple(_shipped(named, _imported(code or "")))
    return PythonRecipe(tuple(sorted((*asked, *added))), added, source_builds)


def _shipped(named: set[str], imported: set[str]) -> Iterator[str]:
    """Yield the MCP library that the code imports and the declaration does not name."""
    if "fastmcp" in imported and "fastmcp" not in named:
        # Beside an `mcp` of the author's choice the resolver finds the fastmcp that goes with it.
        yield "fastmcp" if "mcp" in named else f"fastmcp=={version('fastmcp')}"
    elif "mcp" in imported and not named & {"mcp", "fastmcp"}:
        yield f"mcp=={version('mcp')}"


def _imported(code: str) -> set[str]:
    """Return the packages that code needs: what it imports, and FastMCP where `mcp` is provided."""
    try:
        tree = tree_of(code, SERVER_FILE)
        found = {"fastmcp"} if needs_mcp(code) else set[str]()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


def _inline(server: str, code: str | None) -> tuple[str, ...] | None:
    """Return the dependencies of the PEP 723 block; None when there is no such block."""
    blocks = [m for m in BLOCK.finditer(code or "") if m.group("type") == "script"]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise InvalidServer(f"{SERVER_FILE} of server {server!r} has two script blocks; keep one.")
    lines = blocks[0].group("content").splitlines()
    try:
        said = tomllib.loads("\n".join(line[2:] for line in lines))
    except tomllib.TOMLDecodeError as error:
        raise InvalidServer(
            f"The script block in {SERVER_FILE} of server {server!r} is not TOML: {error}."
        ) from error
    _check_python(server, said.get("requires-python", ""))
    wanted = said.get("dependencies", [])
    if not isinstance(wanted, list) or not all(
        isinstance(one, str) for one in cast("list[object]", wanted)
    ):
        raise InvalidServer(
            f"`dependencies` in the script block of server {server!r} is not a list of strings."
        )
    return tuple(cast("list[str]", wanted))


def _check_python(server: str, wanted: object) -> None:
    own = platform.python_version()
    try:
        fits = SpecifierSet(str(wanted)).contains(own, prereleases=True)
    except InvalidSpecifier as error:
        raise InvalidServer(f"`requires-python` of server {server!r}: {error}.") from error
    if not fits:
        raise InvalidServer(
            f"Server {server!r} asks for Python {wanted}, and this gateway has {own}; "
            f"change `requires-python`, or start the gateway with another Python."
        )


def _lines(text: str) -> Iterator[str]:
    """Yield the requirements of a `requirements.txt`, its continued lines joined."""
    for line in text.replace("\\\n", " ").splitlines():
        bare = COMMENT.sub("", line).strip()
        if bare:
            yield " ".join(bare.split())


def _requirement(server: str, line: str) -> Requirement:
    bare = HASH.sub("", line)
    try:
        if "\n" in line or bare.startswith("-"):
            raise InvalidRequirement("only packages by name are allowed here")
        found = Requirement(bare)
    except InvalidRequirement as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise InvalidServer(
            f"The requirement {line[:100]!r} of server {server!r} cannot be used: {reason}; "
            f"write a package's name with its versions, such as 'httpx>=0.28'."
        ) from error
    if found.url is not None:
        raise InvalidServer(
            f"The requirement {line[:100]!r} of server {server!r} names an address; "
            f"packages come from this machine's index alone."
        )
    return found


def _node(folder: Path, package: str) -> NodeRecipe | None:
    said = _json(folder.name, package)
    wanted = said.get("dependencies", {})
    if not isinstance(wanted, dict):
        raise InvalidServer(f"`dependencies` in {PACKAGE_FILE} of {folder.name!r} is no object.")
    named = cast("dict[str, object]", wanted)
    for name, text in named.items():
        if not isinstance(text, str) or not OF_REGISTRY.fullmatch(text):
            raise InvalidServer(
                f"{PACKAGE_FILE} of server {folder.name!r} asks for {name} from {text!r}; "
                f"packages come from this machine's registry alone, by name and version."
            )
    if not named:
        return None
    packages = tuple(f"{name}@{text}" for name, text in sorted(named.items()))
    kept = {"name": folder.name, "private": True, "dependencies": named}
    lock = _text(folder / LOCK_FILE, MAX_LOCK_BYTES)
    if lock is not None and ELSEWHERE.search(lock):
        raise InvalidServer(
            f"{LOCK_FILE} of server {folder.name!r} names a package that comes from no registry."
        )
    return NodeRecipe(packages, package if lock else json.dumps(kept), lock)


def _json(server: str, text: str) -> dict[str, object]:
    try:
        said: object = json.loads(text)
    except ValueError as error:
        raise InvalidServer(f"{PACKAGE_FILE} of server {server!r}: {error}.") from error
    if not isinstance(said, dict):
        raise InvalidServer(f"{PACKAGE_FILE} of server {server!r} is not a JSON object.")
    return cast("dict[str, object]", said)


def _text(path: Path, limit: int) -> str | None:
    """Return the text of a file; None when it is not there."""
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidServer(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > limit:
        raise InvalidServer(f"{path} is larger than {limit} bytes.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidServer(f"{path} is not UTF-8 text.") from error
