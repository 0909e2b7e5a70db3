"""A folder that may become a server's: written beside the present one, and read as a server."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.servers.code import parse_code, read_refused
from gateway.servers.content import FolderContent, read_content
from gateway.servers.folders import CODE_FILE, ServerFolders
from gateway.servers.hosts import undeclared_hosts
from supervisor.folders.catalog import read_server
from supervisor.spec import ServerKind, ServerSpec


@dataclass(frozen=True, slots=True)
class Staged:
    """What is in such a folder."""

    spec: ServerSpec
    content: FolderContent
    hosts: tuple[str, ...]
    """Hosts that its code names and that it is not granted."""
    refused_reads: tuple[str, ...]
    """A sentence for each variable that its code reads and that no server is given."""


def write_checked(folders: ServerFolders, name: str, write: Callable[[], Path]) -> Staged:
    """Let `write` make the folder, and return what is in it. Blocking.

    Raises:
        InvalidServer: it is no server, and is gone again.
    """
    try:
        return read_staged(write())
    except BaseException:
        folders.discard_staged(name)
        raise


def read_staged(folder: Path) -> Staged:
    """Return what is in such a folder. Blocking. Raises InvalidServer."""
    spec = read_server(folder, ServerKind.DYNAMIC)
    code = folder / CODE_FILE
    tree = parse_code(code.read_text("utf-8")) if code.is_file() else None
    hosts = undeclared_hosts(tree, spec.network) if tree else ()
    return Staged(spec, read_content(folder), hosts, read_refused(tree) if tree else ())
