"""What the owner grants a fixed server beside its metadata: kept in the home, one file a server.

The folder of a fixed server is not ours to write, and a shipped one is replaced by an update.
Blocking. Above: `shelf`, which reads them with every folder, and `granting`.
"""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import msgspec

from sandboxes.environment import check_name as check_variable
from sandboxes.errors import InvalidHost, RefusedName
from sandboxes.network.hosts import EVERY, parse_rules
from sandboxes.policy import Network, NetworkMode
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import check_name
from supervisor.spec import ServerSpec

READ_ONLY, READ_WRITE = "GRANTED_READ_ONLY", "GRANTED_READ_WRITE"
"""Variables by which a server finds the folders it was granted, with `:` between them."""
MAX_EACH = 100


class Grants(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a server may do beside what its metadata says."""

    hosts: tuple[str, ...] = ()
    private_addresses: bool = False
    full_network: bool = False
    read_only: tuple[str, ...] = ()
    read_write: tuple[str, ...] = ()
    variables: dict[str, str] = {}

    def with_more(self, more: "Grants") -> "Grants":
        """Return both; a folder has its last mode, a variable its last value, and none if empty."""
        variables = {**self.variables, **more.variables}
        return Grants(
            hosts=tuple(dict.fromkeys((*self.hosts, *more.hosts))),
            private_addresses=self.private_addresses or more.private_addresses,
            full_network=self.full_network or more.full_network,
            read_only=_folders(self.read_only, more.read_only, elsewhere=more.read_write),
            read_write=_folders(self.read_write, more.read_write, elsewhere=more.read_only),
            variables={key: value for key, value in variables.items() if value},
        )


class GrantFiles:
    """The files, `<name>.json` in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, server: str) -> Grants:
        """Return what a server was granted. Raises InvalidServer: its file cannot be read."""
        path = self._path(server)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Grants)
        except FileNotFoundError:
            return Grants()
        except (OSError, msgspec.DecodeError) as error:
            raise InvalidServer(
                f"The grants of server {server!r} in {path} cannot be read: {error}. "
                f"Take them back with: ./claude-runner servers revoke {server}"
            ) from error

    def has(self, server: str) -> bool:
        """Return whether there are any for a server, readable or not. Raises InvalidServer."""
        check_name(server)
        return self._path(server).exists()

    def write(self, server: str, grants: Grants) -> None:
        """Keep what a server is granted from now on; nothing leaves no file."""
        path = self._path(server)
        if grants == Grants():
            path.unlink(missing_ok=True)
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.touch(mode=0o600)
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(grants)) + b"\n")
        beside.replace(path)

    def _path(self, server: str) -> Path:
        return self._folder / f"{server}.json"


def check(server: str, grants: Grants, private: tuple[Path, ...]) -> None:
    """Refuse what cannot be granted; `private`: folders and files that no server may see.

    Raises InvalidServer.
    """
    for paths in (grants.hosts, grants.read_only, grants.read_write, grants.variables):
        if len(paths) > MAX_EACH:
            raise InvalidServer(f"Server {server!r} may be granted {MAX_EACH} of each at most.")
    for folder in map(Path, (*grants.read_only, *grants.read_write)):
        if not folder.is_absolute() or not folder.is_dir() or ":" in str(folder):
            raise InvalidServer(
                f"{str(folder)!r} cannot be granted to server {server!r}: it is no folder of this "
                "machine, or has ':' in its path."
            )
        real = folder.resolve()
        if any(own.is_relative_to(real) or real.is_relative_to(own) for own in private):
            raise InvalidServer(
                f"{str(folder)!r} cannot be granted to server {server!r}: this gateway's home or "
                "master key is there."
            )
    for folder in grants.read_write:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise InvalidServer(
                f"{folder!r} cannot be granted to server {server!r} for writing: this gateway sees "
                "it on a read-only mount; as a service of systemd, name it in ReadWritePaths= of "
                "its unit (deploy/README.md)."
            )


def granted(spec: ServerSpec, grants: Grants) -> ServerSpec:
    """Return a server with its grants, which count as a change of it. Raises InvalidServer."""
    if grants == Grants():
        return spec
    try:
        if named := tuple(host for host in grants.hosts if host != EVERY):
            parse_rules(named)
        for key in grants.variables:
            check_variable(key)
        network = _network(spec.network, grants)
    except (InvalidHost, RefusedName) as error:
        raise InvalidServer(f"The grants of server {spec.name!r}: {error}") from error
    told = hashlib.sha256(spec.digest.encode() + msgspec.json.encode(grants, order="sorted"))
    return replace(
        spec,
        digest=told.hexdigest(),
        network=network,
        read_only=(*spec.read_only, *map(Path, grants.read_only)),
        read_write=(*spec.read_write, *map(Path, grants.read_write)),
        environment=_environment(spec, grants),
    )


def _network(network: Network, grants: Grants) -> Network:
    if grants.full_network or network.mode is NetworkMode.FULL:
        return Network(NetworkMode.FULL)
    hosts = tuple(dict.fromkeys((*network.hosts, *grants.hosts)))
    if not hosts:
        return network
    private = network.private_addresses or grants.private_addresses
    if private and EVERY in hosts:
        raise InvalidHost(f"{EVERY!r} means every public host; name those in private networks.")
    return Network(NetworkMode.HOSTS, hosts, private)


def _environment(spec: ServerSpec, grants: Grants) -> tuple[tuple[str, str], ...]:
    found = {READ_ONLY: ":".join(grants.read_only), READ_WRITE: ":".join(grants.read_write)}
    folders = {key: value for key, value in found.items() if value}
    return tuple(sorted({**dict(spec.environment), **folders, **grants.variables}.items()))


def _folders(
    before: tuple[str, ...], more: tuple[str, ...], *, elsewhere: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(each for each in dict.fromkeys((*before, *more)) if each not in elsewhere)
