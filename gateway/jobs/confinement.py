"""The sandbox of a run's CLI: the same fence as for servers, with a profile of its own."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.jobs.door import PORT
from gateway.jobs.folders import RunFolders
from sandboxes import launch, ownership
from sandboxes.launch import Launch
from sandboxes.network import way_out
from sandboxes.policy import MIB, Level, Limits, Network, NetworkMode, Policy

LIMITS = Limits(
    # The CLI alone uses a quarter of one; the rest is for what its shell starts.
    memory_bytes=4096 * MIB,
    # The CLI reserves tens of gigabytes.
    address_space_bytes=None,
    # Its own threads are about 30.
    processes=512,
    open_files=4096,
    file_size_bytes=1024 * MIB,
    # The work folder, with all that earlier runs left there, and HOME.
    data_dir_bytes=4096 * MIB,
    data_dir_files=500_000,
)


def assign_uid(folders: RunFolders, uid_base: int) -> int | None:
    """Return the user of a run's CLI: one for each work folder, above those of servers.

    None when the gateway is no root and cannot change users.

    Raises:
        SandboxError: all users are taken.
    """
    if os.geteuid() != 0:
        return None
    base = uid_base + ownership.UID_SPAN
    return ownership.assign_uid(folders.work.parent, folders.work, base, siblings="*")


def hand_over_folders(folders: RunFolders, uid: int | None) -> None:
    """Make the CLI's user the owner of what it works in.

    Raises:
        ForeignOwner, SandboxError: something there belongs to somebody else.
    """
    if uid is not None:
        for folder in (folders.work, folders.home, folders.temporary, folders.handed):
            ownership.give(folder, uid)


def confine(
    cli: Path,
    env: Mapping[str, str],
    folders: RunFolders,
    *,
    level: Level,
    limits: Limits,
    uid: int | None,
    proxied: bool,
    readable: Iterable[Path] = (),
    closed_ports: tuple[int, ...] = (),
) -> Launch:
    """Return how the CLI is started at this level; its own arguments are added at the end.

    `proxied`: it gets a second listener, the proxy's, and is told of it. `readable`: files
    that it may read besides. `closed_ports`: of the machine, where it must not connect.

    Raises:
        SandboxError: the level cannot be had, or the CLI cannot be reached in it.
    """
    strong = level is Level.STRONG
    folders_of_its_own = (folders.work, folders.home, folders.temporary)
    policy = Policy(
        level,
        folders.work,
        # What may be read may be executed: an agent runs the programs that it builds.
        read_only=(cli, folders.handed, *folders_of_its_own, *readable),
        read_write=(folders.home, folders.temporary),
        network=Network(NetworkMode.NONE if strong else NetworkMode.FULL),
        limits=limits,
        listeners=((PORT, way_out.PORT) if proxied else (PORT,)) if strong else (),
        closed_ports=closed_ports,
        uid=uid,
    )
    if proxied:
        env = {**env, **way_out.ENVIRONMENT}
    return launch.prepare([str(cli)], env=env, cwd=folders.work, policy=policy)
