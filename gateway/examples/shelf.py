"""The examples that a checkout has: what each is, and the files that make it. Blocking."""

from dataclasses import dataclass
from pathlib import Path

from gateway.servers.content import KeptFile, read_content
from gateway.variables import CHECKOUT
from sandboxes.packages.recipe import declared_packages
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import read_server
from supervisor.spec import ServerKind

EXAMPLES = CHECKOUT / "docs" / "examples"
FOR_PEOPLE = "README.md"
"""Of an example's folder the one file that its server has no use for."""


@dataclass(frozen=True, slots=True)
class Example:
    """One of them, as it is listed."""

    name: str
    description: str
    credentials: tuple[str, ...]
    """Keys that it must be given before it starts."""
    hosts: tuple[str, ...]
    packages: tuple[str, ...]
    """Beside what every server has."""


def read_examples(folder: Path) -> tuple[Example, ...]:
    """Return every example, by name. Raises InvalidServer for one that is no server."""
    return tuple(_example(each) for each in _folders(folder))


def read_example(folder: Path, name: str) -> tuple[KeptFile, ...]:
    """Return the files of one.

    Raises:
        InvalidServer: there is none of this name.
    """
    folders = {each.name: each for each in _folders(folder)}
    if name not in folders:
        named = ", ".join(folders)
        raise InvalidServer(f"There is no example {name[:60]!r}; there are {named}.")
    files = read_content(folders[name]).files or ()
    return tuple(file for file in files if file.path != FOR_PEOPLE)


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir())


def _example(folder: Path) -> Example:
    spec = read_server(folder, ServerKind.DYNAMIC)
    return Example(
        spec.name,
        spec.description,
        tuple(each.key for each in spec.credentials if each.required),
        spec.network.hosts,
        declared_packages(spec.recipe),
    )
