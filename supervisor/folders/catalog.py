"""From folders to specs: names, metadata and digests of the servers on disk."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from sandboxes.environment import check_name as check_variable
from sandboxes.errors import InvalidHost, RefusedName
from sandboxes.network.hosts import parse_rules
from sandboxes.policy import MIB, Limits, Network, NetworkMode
from supervisor.errors import InvalidServer
from supervisor.folders.dependencies import NODE_MODULES, SERVER_FILE, read_recipe
from supervisor.folders.metadata import METADATA, HostsGiven, Metadata, read_metadata
from supervisor.spec import DeclaredCredential, ServerKind, ServerSpec, StartTime
from supervisor.system_packages import read_packages

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
IDLE_STOP_S = 900.0
"""For dynamic servers that do not say; they are many, and most of them are used now and then."""
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", ".venv", ".git"})
"""Derived content: it changes by itself and is no change of code."""
NOISE = re.compile(r".*\.py[co]|.*~|.*\.sw[a-z]|.*\.tmp|\.#.*|#.*#|4913|\.DS_Store")
"""Files that interpreters and editors keep beside the code."""


def check_name(name: str) -> None:
    """Accept a server's name.

    Raises:
        InvalidServer: it is not 1 to 40 of a-z, 0-9 and '-', starting with a letter.
    """
    if not NAME.fullmatch(name):
        raise InvalidServer(
            f"The server name {name[:60]!r} is not allowed: use 1 to 40 lower-case letters, "
            "digits and '-', starting with a letter."
        )


def read_server(folder: Path, kind: ServerKind) -> ServerSpec:
    """Return the spec of the server in a folder.

    Raises:
        InvalidServer: the folder's name, its metadata or its files cannot be used.
    """
    check_name(folder.name)
    metadata = read_metadata(folder)
    if metadata.command is None and not (folder / SERVER_FILE).is_file():
        raise InvalidServer(
            f"Server {folder.name!r} has neither a {SERVER_FILE} nor a command in its {METADATA}."
        )
    _check_grants(folder.name, kind, metadata)
    try:
        return _spec(folder, kind, metadata)
    except OSError as error:
        raise InvalidServer(f"Server {folder.name!r} cannot be read: {error}.") from error


def read_catalog(
    fixed_dir: Path, dynamic_dir: Path, *added_dirs: Path
) -> tuple[tuple[ServerSpec, ...], tuple[InvalidServer, ...]]:
    """Return every server on disk, and why the others cannot be used.

    `added_dirs` hold further fixed servers. One that has the name of a fixed server is one of the
    others, unless that gives way.
    """
    specs: dict[str, ServerSpec] = {}
    refused: list[InvalidServer] = []
    fixed = tuple(_folders(fixed_dir, ServerKind.FIXED))
    shipped = [each for each in fixed if not gives_way(each[0], dynamic_dir, *added_dirs)]
    added = [each for root in added_dirs for each in _folders(root, ServerKind.FIXED)]
    for folder, kind in (*shipped, *added, *_folders(dynamic_dir, ServerKind.DYNAMIC)):
        try:
            spec = read_server(folder, kind)
            if spec.name in specs:
                what = "dynamic" if kind is ServerKind.DYNAMIC else "added"
                raise InvalidServer(
                    f"The {what} server {spec.name!r} has the name of a fixed one; rename it."
                )
            specs[spec.name] = spec
        except InvalidServer as error:
            refused.append(error)
    return tuple(specs.values()), tuple(refused)


def gives_way(fixed: Path, *others: Path) -> bool:
    """Return whether a fixed server is left out for one of its name in another folder.

    One that is off by its metadata is: many are shipped so, and whoever has a server of that name
    already keeps it, with its credentials, which go by the name.
    """
    if not any((other / fixed.name).is_dir() for other in others) or not fixed.is_dir():
        return False
    try:
        return not read_metadata(fixed).enabled
    except InvalidServer:
        return False


def digest(folder: Path) -> str:
    """Return the SHA-256 over names and contents of a server's files; links are not followed."""
    total = hashlib.sha256()
    for path in sorted(code_files(folder)):
        total.update(os.fsencode(path.relative_to(folder)) + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def is_noise(path: Path) -> bool:
    """Return whether a path, relative to the folder of all servers, can be no change of code."""
    hidden = bool(path.parts) and path.parts[0].startswith((".", "_"))
    return hidden or not SKIPPED_FOLDERS.isdisjoint(path.parts) or bool(NOISE.fullmatch(path.name))


def _folders(root: Path, kind: ServerKind) -> Iterator[tuple[Path, ServerKind]]:
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.is_dir() and not folder.name.startswith((".", "_")):
            yield folder, kind


def code_files(folder: Path) -> Iterator[Path]:
    """Yield the files that make a server; what is derived from them and links are left out."""
    for path in folder.iterdir():
        if path.is_symlink() or NOISE.fullmatch(path.name):
            continue
        if path.is_dir():
            if path.name not in SKIPPED_FOLDERS:
                yield from code_files(path)
        elif path.is_file():
            yield path


def _check_grants(name: str, kind: ServerKind, metadata: Metadata) -> None:
    """Refuse what only the owner may grant, in metadata that a model may have written."""
    if kind is ServerKind.FIXED:
        return
    network = metadata.network
    private = isinstance(network, HostsGiven) and network.private_addresses
    if network == "full" or private or metadata.read_only or metadata.read_write:
        raise InvalidServer(
            f"Server {name!r} asks for full network, private addresses or extra paths; only the "
            f"owner grants those, by making it a fixed server."
        )
    if metadata.notify:
        raise InvalidServer(
            f"Server {name!r} asks to send messages to the owner; only the owner grants that, by "
            f"making it a fixed server."
        )
    if metadata.unix_sockets:
        raise InvalidServer(
            f"Server {name!r} asks for Unix sockets; only the owner grants those, by making it a "
            f"fixed server."
        )
    if metadata.system_packages:
        raise InvalidServer(
            f"Server {name!r} asks for packages of the machine; only the owner installs those, by "
            f"making it a fixed server."
        )
    if metadata.allow_source_builds:
        raise InvalidServer(
            f"Server {name!r} asks for packages that run code of their own while they are built; "
            f"only the owner allows that, by making it a fixed server."
        )


def _spec(folder: Path, kind: ServerKind, metadata: Metadata) -> ServerSpec:
    is_dynamic = kind is ServerKind.DYNAMIC
    return ServerSpec(
        name=folder.name,
        kind=kind,
        code_dir=folder.resolve(),
        digest=digest(folder),
        description=metadata.description,
        command=_command(folder, metadata),
        environment=_environment(folder.name, metadata),
        credentials=_credentials(folder.name, metadata),
        network=_network(folder.name, metadata),
        limits=_limits(metadata),
        start_timeout_s=metadata.start_timeout_s,
        call_timeout_s=metadata.call_timeout_s,
        instances=metadata.instances,
        max_instances=metadata.max_instances,
        start=metadata.start or (StartTime.LAZY if is_dynamic else StartTime.EAGER),
        idle_stop_s=_idle_stop_s(metadata, IDLE_STOP_S if is_dynamic else None),
        reload=metadata.reload,
        era=metadata.era,
        read_only=_absolute(folder.name, metadata.read_only),
        read_write=_absolute(folder.name, metadata.read_write),
        unix_sockets=metadata.unix_sockets,
        dynamic_tools=metadata.dynamic_tools,
        notify=metadata.notify,
        system_packages=read_packages(folder.name, metadata.system_packages),
        recipe=read_recipe(
            folder,
            command=metadata.command is not None,
            source_builds=metadata.allow_source_builds,
        ),
    )


def _idle_stop_s(metadata: Metadata, default: float | None) -> float | None:
    """Return how long a child may be idle; 0 in the metadata means for ever."""
    return default if metadata.idle_stop_s is None else metadata.idle_stop_s or None


def _command(folder: Path, metadata: Metadata) -> tuple[str, ...] | None:
    if metadata.command is None:
        return None
    program, *rest = metadata.command
    if program.startswith("./") and not program.startswith(NODE_MODULES):
        program = str(folder.resolve() / program)
    return (program, *(_own_file(folder, word) for word in rest))


def _own_file(folder: Path, word: str) -> str:
    """Return an argument; one that names a file of the server's folder as that file's path."""
    path = folder.resolve() / word
    return str(path) if word.startswith("./") and path.is_file() else word


def _environment(name: str, metadata: Metadata) -> tuple[tuple[str, str], ...]:
    for key in metadata.environment:
        _check_variable(name, key)
    return tuple(sorted(metadata.environment.items()))


def _credentials(name: str, metadata: Metadata) -> tuple[DeclaredCredential, ...]:
    for credential in metadata.credentials:
        _check_variable(name, credential.key)
    return tuple(DeclaredCredential(c.key, c.required, c.description) for c in metadata.credentials)


def _check_variable(name: str, key: str) -> None:
    try:
        check_variable(key)
    except RefusedName as error:
        raise InvalidServer(f"{METADATA} of server {name!r}: {error}") from error


def _network(name: str, metadata: Metadata) -> Network:
    given = metadata.network
    if not isinstance(given, HostsGiven):
        return Network(NetworkMode(given))
    try:
        parse_rules(given.hosts)
    except InvalidHost as error:
        raise InvalidServer(f"{METADATA} of server {name!r}: {error}") from error
    return Network(NetworkMode.HOSTS, given.hosts, given.private_addresses)


def _limits(metadata: Metadata) -> Limits:
    given = metadata.limits
    if given is None:
        # Programs other than Python (Node, Chromium) reserve far more than they use.
        own = Limits()
        return own if metadata.command is None else Limits(address_space_bytes=None)
    return Limits(
        memory_bytes=given.memory_mb * MIB,
        address_space_bytes=given.address_space_mb and given.address_space_mb * MIB,
        processes=given.processes,
        cpu=given.cpu,
        open_files=given.open_files,
        file_size_bytes=given.file_size_mb * MIB,
        data_dir_bytes=given.data_dir_mb * MIB,
        data_dir_files=given.data_dir_files,
        shared_memory_bytes=given.shared_memory_mb * MIB,
    )


def _absolute(name: str, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    for path in paths:
        if not path.is_absolute():
            raise InvalidServer(f"{METADATA} of server {name!r}: {path} is not an absolute path.")
    return paths
