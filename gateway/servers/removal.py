"""Removes fixed servers that their owner brought, such as by an import, with all that is theirs.

No model has a way here. Above: `/local/servers`, pages. Below: the folders, the store, the
supervisor.
"""

import os
from contextlib import suppress
from pathlib import Path

from anyio import CancelScope, to_thread

from gateway.credentials import Credentials
from gateway.server_names import SHIPPED
from gateway.servers.disk import Disk
from gateway.servers.grants import GrantFiles, Grants
from gateway.servers.history import History
from gateway.servers.known import Known
from gateway.store import Store
from gateway.variables import CHECKOUT
from sandboxes.limits import tree
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import check_name
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor

ASIDE_PREFIX = ".removed-"
"""How the folder of a server is named while its removal is under way."""
SHIPPED_DIR = (CHECKOUT / "fixed-servers").resolve()


def is_shipped(spec: ServerSpec) -> bool:
    """Tell whether a server is part of the program; it would come back with every update."""
    return spec.name in SHIPPED and spec.code_dir.resolve().parent == SHIPPED_DIR


def check_owners(spec: ServerSpec) -> None:
    """Accept a server that its owner brought. Raises InvalidServer for one that is shipped."""
    if is_shipped(spec):
        raise InvalidServer(
            f"Server {spec.name!r} is shipped with Claude Runner, as are all of "
            f"{', '.join(SHIPPED)}; disable it instead: "
            f"./claude-runner servers disable {spec.name}"
        )


class Removal:
    """The way out of a fixed server."""

    def __init__(
        self,
        known: Known,
        disk: Disk,
        history: History,
        grants: GrantFiles,
        *,
        supervisor: Supervisor,
        store: Store,
        credentials: Credentials,
        fixed_dirs: tuple[Path, ...],
        dynamic_dir: Path,
        state_dir: Path,
    ) -> None:
        """`fixed_dirs` hold the servers, `dynamic_dir` those of models; `state_dir` holds the data
        folders of all by name.
        """
        self._known = known
        self._disk = disk
        self._history = history
        self._grants = grants
        self._supervisor = supervisor
        self._store = store
        self._credentials = credentials
        self._fixed_dirs = fixed_dirs
        self._dynamic_dir = dynamic_dir
        self._state_dir = state_dir

    async def remove(self, name: str) -> None:
        """Stop a fixed server and remove its folder, data, credentials, grants and switch.

        Where no server has the name, what a former one left goes.

        Raises:
            UnknownServer, InvalidServer: it is shipped, or its folder is not ours to remove;
                nothing was changed.
        """
        async with self._known.turn(name):
            if await self.left(name):
                await self._finish(name)
                return
            spec = self._known.spec(name, ServerKind.FIXED)
            check_owners(spec)
            aside = await to_thread.run_sync(self._set_aside, spec)
            await self._finish(name, aside)

    async def left(self, name: str) -> tuple[str, ...]:
        """Say what is stored under a name that no server has now. Raises InvalidServer."""
        check_name(name)
        if name in self._known or await to_thread.run_sync(self._has_folder, name):
            return ()
        keys = await self._credentials.keys(name)
        files = await to_thread.run_sync(self._left_files, name)
        return (*sorted(keys), *files)

    async def recover(self) -> None:
        """Finish removals that a crash interrupted; what has a folder again is left alone."""
        for aside in await to_thread.run_sync(self._set_asides):
            name = aside.name.removeprefix(ASIDE_PREFIX)
            async with self._known.turn(name):
                if await to_thread.run_sync(self._has_folder, name):
                    await to_thread.run_sync(_remove_left, aside)
                else:
                    await self._finish(name, aside)

    async def _finish(self, name: str, aside: Path | None = None) -> None:
        # Half a removal is worse than a caller who waits.
        with CancelScope(shield=True):
            await self._disk.forget(name)
            self._supervisor.forget_pins(name)
            await to_thread.run_sync(self._remove_files, name)
            await self._credentials.delete_server(name)
            await self._store.servers.delete(name)
            await self._history.delete(name)
            if aside is not None:
                # Last: as long as it is there, the next start knows what is to be finished.
                await to_thread.run_sync(_remove_left, aside)

    def _set_asides(self) -> tuple[Path, ...]:
        found = (each for root in self._fixed_dirs for each in root.glob(f"{ASIDE_PREFIX}*"))
        return tuple(each for each in found if _is_name(each.name.removeprefix(ASIDE_PREFIX)))

    def _has_folder(self, name: str) -> bool:
        roots = (*self._fixed_dirs, self._dynamic_dir)
        return any(os.path.lexists(root / name) for root in roots)

    def _left_files(self, name: str) -> tuple[str, ...]:
        data = self._state_dir / name / "data"
        has_data = data.is_dir() and any(data.iterdir())
        return (
            *(("its grants",) if self._grants.has(name) else ()),
            *(("its data",) if has_data else ()),
        )

    def _set_aside(self, spec: ServerSpec) -> Path:
        """Rename the folder to a name that is no server's, and return where it is."""
        found = (root / spec.name for root in self._fixed_dirs)
        folder = next((each for each in found if each.resolve() == spec.code_dir.resolve()), None)
        if folder is None:
            raise InvalidServer(f"The folder of server {spec.name!r} is gone.")
        aside = folder.with_name(f"{ASIDE_PREFIX}{spec.name}")
        try:
            _remove_folder(aside)
            folder.rename(aside)
        except OSError as error:
            raise InvalidServer(
                f"{folder} cannot be removed ({error.strerror}); remove it as its owner, then each "
                f"of its secrets with: ./claude-runner credentials delete {spec.name} KEY"
            ) from error
        return aside

    def _remove_files(self, name: str) -> None:
        self._grants.write(name, Grants())
        _remove_left(self._state_dir / name)


def _is_name(text: str) -> bool:
    with suppress(InvalidServer):
        check_name(text)
        return True
    return False


def _remove_left(folder: Path) -> None:
    with suppress(OSError):
        _remove_folder(folder)


def _remove_folder(folder: Path) -> None:
    """Remove a folder; one that is a symbolic link of its owner's loses the link only."""
    if folder.is_symlink():
        folder.unlink()
    elif os.path.lexists(folder):
        tree.remove(folder)
