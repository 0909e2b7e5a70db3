"""Fixed servers whose folders the gateway writes: added and updated as a whole or not at all.

No model has a way here: what is added may be granted more than a model's servers may. Above:
`gateway/catalog`. Below: the folder of added servers, the versions, the supervisor.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from anyio import to_thread

from gateway.domain.server_version import Origin
from gateway.server_names import RESERVED
from gateway.servers.content import FolderContent, KeptFile, read_content
from gateway.servers.folders import METADATA_FILE, ServerFolders
from gateway.servers.history import Change, History, verdict_of
from gateway.servers.known import Known
from gateway.servers.operation import Operation
from gateway.servers.report import ServerReport
from gateway.servers.shelf import Shelf
from gateway.servers.swapping import Swap, to_the_end
from gateway.store import Store
from supervisor.errors import InvalidServer, UnknownServer
from supervisor.events import ServerState
from supervisor.folders.catalog import check_name, read_server
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor

Files = Mapping[str, str]
"""Texts by their names in a server's folder."""
Look = Callable[[ServerSpec], Awaitable[None]]


class Adding:
    """Owner of the folder of added servers."""

    def __init__(
        self,
        folder: Path,
        known: Known,
        shelf: Shelf,
        operation: Operation,
        history: History,
        *,
        supervisor: Supervisor,
        store: Store,
    ) -> None:
        self._folder = folder
        self._folders = ServerFolders(folder)
        self._known = known
        self._shelf = shelf
        self._operation = operation
        self._history = history
        self._supervisor = supervisor
        self._store = store
        self._swap = Swap(self._folders, known, operation, self._read)

    def names(self) -> tuple[str, ...]:
        """Return the servers that were added."""
        fixed = self._known.of_kind(ServerKind.FIXED)
        return tuple(spec.name for spec in fixed if spec.code_dir.parent == self._folder.resolve())

    def spec(self, name: str) -> ServerSpec:
        """Return the description of an added server. Raises UnknownServer, InvalidServer."""
        spec = self._known.spec(name)
        if name not in self.names():
            raise InvalidServer(f"Server {name!r} was not added by `servers add`.")
        return spec

    def recover(self) -> None:
        """Finish what a crash interrupted. Blocking."""
        self._folders.recover()

    def check_free(self, name: str) -> None:
        """Accept the name of a server to come. Raises InvalidServer."""
        check_name(name)
        if name in RESERVED:
            raise InvalidServer(f"The server name {name!r} is reserved; choose another.")
        if name in self._known or self._folders.path(name).exists():
            raise InvalidServer(f"There is a server named {name!r} already; choose another --name.")

    async def files(self, name: str) -> dict[str, str]:
        """Return what an added server's folder holds. Raises UnknownServer, InvalidServer."""
        spec = self.spec(name)
        content = await to_thread.run_sync(read_content, spec.code_dir)
        return _texts(name, content.files)

    async def create(self, name: str, files: Files, *, author: str, look: Look) -> ServerReport:
        """Add a server, switched off, and report.

        `look` is given what it would be, before it is there; what that raises is raised, and
        nothing is left.

        Raises:
            InvalidServer: the name is bad or taken, or the files are no server.
        """
        async with self._known.turn(name):
            self.check_free(name)
            spec, content = await self._staged(name, files)
            try:
                await look(spec)
                with to_the_end():
                    return await self._created(name, content, author)
            finally:
                with to_the_end():
                    await to_thread.run_sync(self._folders.discard_staged, name)

    async def replace(self, name: str, files: Files, change: Change) -> ServerReport:
        """Change files of an added server, all of these or none, and report; the others stay.

        If what is new does not start, the old goes on serving and is what the folder holds.

        Raises:
            UnknownServer, InvalidServer: nothing was changed.
        """
        async with self._known.turn(name):
            present = await self._note_present(self.spec(name))
            whole = {**_texts(name, present.files), **files}
            return await self._taken_over(name, whole, change)

    async def roll_back(self, name: str, number: int | None, *, author: str) -> ServerReport:
        """Bring an earlier version back, as a new one, and report; the policy stays as it is.

        Without a number: the newest one that worked before the present one.

        Raises:
            UnknownServer, InvalidServer: nothing was changed.
        """
        async with self._known.turn(name):
            spec = self.spec(name)
            present = await self._note_present(spec)
            bare = replace(spec, digest=present.digest)
            version = await self._history.to_restore(bare, number)
            files = _texts(name, await self._history.files(version))
            files[METADATA_FILE] = _with_policy(_texts(name, present.files), files)
            change = Change(Origin.ROLLED_BACK, author, restored=version.number)
            return await self._taken_over(name, files, change)

    async def _created(self, name: str, content: FolderContent, author: str) -> ServerReport:
        # A server of this name that was removed may have left its switch on.
        await self._store.servers.set_enabled(name, False)
        # Nor are its versions any of this one's, to which it could go back.
        await self._history.delete(name)
        await to_thread.run_sync(self._folders.put_in_place, name)
        try:
            spec = await to_thread.run_sync(self._read, name)
        except BaseException:
            await to_thread.run_sync(self._folders.remove, name)
            raise
        self._known.put(spec)
        report = await self._operation.apply(spec)
        change = Change(Origin.CREATED, author)
        number = await self._history.add(name, content, change, verdict_of(report))
        return replace(report, version=number)

    async def _taken_over(self, name: str, files: Files, change: Change) -> ServerReport:
        _, content = await self._staged(name, files)
        try:
            with to_the_end():
                report = await self._swap.take_over(name)
                number = await self._history.add(name, content, change, verdict_of(report))
                return replace(report, version=number)
        finally:
            with to_the_end():
                await to_thread.run_sync(self._folders.discard_staged, name)

    async def _note_present(self, spec: ServerSpec) -> FolderContent:
        """Write down what the folder holds, which the owner may have edited, and that it works."""
        content = await to_thread.run_sync(read_content, spec.code_dir)
        works = False
        with suppress(UnknownServer):
            seen = self._supervisor.snapshot(spec.name)
            works = seen.state is ServerState.READY and seen.digest == spec.digest
        await self._history.note_present(spec.name, content, works=works)
        return content

    async def _staged(self, name: str, files: Files) -> tuple[ServerSpec, FolderContent]:
        return await to_thread.run_sync(partial(self._stage, name, files))

    def _stage(self, name: str, files: Files) -> tuple[ServerSpec, FolderContent]:
        kept = [KeptFile(path, text.encode(), executable=False) for path, text in files.items()]
        try:
            folder = self._folders.stage_files(name, kept)
            # The children of servers may be other users, and the service's mask is strict.
            folder.parent.chmod(0o755)
            self._folder.chmod(0o755)
            return read_server(folder, ServerKind.FIXED), read_content(folder)
        except BaseException:
            self._folders.discard_staged(name)
            raise

    def _read(self, name: str) -> ServerSpec:
        spec = self._shelf.read(name)
        if spec is None:
            raise InvalidServer(f"The folder of server {name!r} is gone.")
        return spec


def _texts(name: str, files: tuple[KeptFile, ...] | None) -> dict[str, str]:
    if files is None:
        raise InvalidServer(f"The folder of server {name!r} is too large to be changed here.")
    try:
        return {file.path: file.content.decode("utf-8") for file in files}
    except UnicodeDecodeError as error:
        raise InvalidServer(f"A file of server {name!r} is no text; remove it.") from error


def _with_policy(present: Files, restored: Files) -> str:
    """Return the present metadata with the command of what is restored. Raises InvalidServer."""
    metadata: dict[str, Any] = _metadata(present, "the folder")
    before: dict[str, Any] = _metadata(restored, "the version")
    command = {"command": before["command"]} if "command" in before else {}
    return json.dumps({**metadata, **command}, indent=2) + "\n"


def _metadata(files: Files, place: str) -> dict[str, Any]:
    try:
        found: object = json.loads(files[METADATA_FILE])
    except (KeyError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise InvalidServer(
            f"{METADATA_FILE} of {place} cannot be read, and with it what the server may do; "
            "write it anew, then go back."
        )
    return cast("dict[str, Any]", found)
