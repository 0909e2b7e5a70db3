"""One owner for what exists and what is switched on: every change to a server goes through here.

Above: tools, dashboard, command line. Below: the folders, the store's switches, the supervisor.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from anyio import to_thread

from gateway.credentials import Credentials
from gateway.domain.server_version import Origin, VersionResult
from gateway.server_names import ADDED, RESERVED
from gateway.servers.adding import Adding
from gateway.servers.content import KeptFile, read_content
from gateway.servers.disk import SEAT_S, Disk
from gateway.servers.draft import Draft, apply_draft
from gateway.servers.files import FileEdit, edited
from gateway.servers.folders import CODE_FILE, ServerFolders, Source
from gateway.servers.granting import Granting
from gateway.servers.grants import GrantFiles
from gateway.servers.held import Held, sentence_of
from gateway.servers.history import Change, History, verdict_of
from gateway.servers.known import Known
from gateway.servers.operation import Operation
from gateway.servers.removal import Removal
from gateway.servers.report import CredentialStatus, Failure, ServerReport, undeclared_statuses
from gateway.servers.shelf import Shelf
from gateway.servers.staging import Staged, write_checked
from gateway.servers.swapping import Swap, to_the_end
from gateway.servers.versions import Versions
from gateway.store import Store
from gateway.variables import CodeChanges
from sandboxes.limits import tree
from supervisor.errors import InvalidServer, UnknownServer
from supervisor.events import ServerState
from supervisor.folders.catalog import check_name, read_server
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor


class Servers:
    """What people and Claude do to servers; `disk` does what their folders ask for."""

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        store: Store,
        credentials: Credentials,
        fixed_dir: Path,
        dynamic_dir: Path,
        state_dir: Path,
        code_changes: CodeChanges = CodeChanges.RUN,
        seat_s: float = SEAT_S,
    ) -> None:
        """`seat_s`: how long one server's start may keep others from being loaded."""
        self._supervisor = supervisor
        self._store = store
        self._credentials = credentials
        self._state_dir = state_dir
        self._known = Known()
        self._folders = ServerFolders(dynamic_dir)
        self._history = History(store.server_versions)
        grants = GrantFiles(state_dir.with_name("grants"))
        added_dir = state_dir.with_name(ADDED)
        self._shelf = Shelf(fixed_dir, dynamic_dir, grants, added_dir)
        self._operation = Operation(
            self._known, self._shelf, supervisor=supervisor, store=store, credentials=credentials
        )
        self.held = Held(code_changes, self._known, self._history, credentials, self._folders)
        self.versions = Versions(self._known, self._history, supervisor)
        self._swap = Swap(
            self._folders,
            self._known,
            self._operation,
            lambda name: read_server(self._folders.path(name), ServerKind.DYNAMIC),
        )
        self.adding = Adding(
            added_dir,
            self._known,
            self._shelf,
            self._operation,
            self._history,
            supervisor=supervisor,
            store=store,
        )
        self.granting = Granting(grants, self._known, self._shelf, self._operation, supervisor)
        self.disk = Disk(
            self._known,
            self._operation,
            supervisor=supervisor,
            recover=self._recover,
            finish=lambda: self.removal.recover(),
            shelf=self._shelf,
            state_dir=state_dir,
            seat_s=seat_s,
        )
        self.removal = Removal(
            self._known,
            self.disk,
            self._history,
            grants,
            supervisor=supervisor,
            store=store,
            credentials=credentials,
            fixed_dirs=(fixed_dir, added_dir),
            dynamic_dir=dynamic_dir,
            state_dir=state_dir,
        )

    async def create(self, name: str, draft: Draft, *, enable: bool, author: str) -> ServerReport:
        """Write a new dynamic server, start it unless told otherwise, and report.

        A server that does not start is kept, in state failed, and the report says why.

        Raises:
            InvalidServer: the name is bad or taken, or the code or a setting is wrong.
            CredentialRefused, RefusedName: a secret cannot be stored.
        """
        async with self._known.turn(name):
            await self._check_new(name)
            for key, value in draft.values:
                self._credentials.check(name, key, value)
            staged = await self._stage(name, apply_draft(name, Source(None, {}), draft))
            return await self._made(name, staged, draft.values, enable=enable, author=author)

    async def install(
        self, name: str, files: Iterable[KeptFile], *, enable: bool, author: str
    ) -> ServerReport:
        """Write a new dynamic server of whole files, as `create` does of a draft, and report.

        Raises:
            InvalidServer: the name is bad or taken, or the files are no dynamic server.
        """
        async with self._known.turn(name):
            await self._check_new(name)
            staged = await self._staged(name, partial(self._folders.stage_files, name, files))
            return await self._made(name, staged, (), enable=enable, author=author)

    async def update(self, name: str, draft: Draft, *, author: str) -> ServerReport:
        """Change a dynamic server as a whole or not at all, and report.

        If the new code does not start, the old code keeps serving and is what the folder holds.
        What runs already is left alone, and its report names no version.

        Raises:
            UnknownServer, InvalidServer: nothing was changed.
        """
        async with self._known.turn(name):
            self.spec(name, ServerKind.DYNAMIC)
            before = await to_thread.run_sync(self._folders.read, name)
            staged = await self._stage(name, apply_draft(name, before, draft))
            return await self._taken_over_if_new(name, staged, Change(Origin.UPDATED, author))

    async def edit_file(self, name: str, edit: FileEdit, *, author: str) -> ServerReport:
        """Change one file of a dynamic server, which is as a whole reloaded or not, and report.

        As `update`; what the code reads from its environment is declared as there.

        Raises:
            UnknownServer, InvalidServer, FileChanged: nothing was changed.
        """
        async with self._known.turn(name):
            spec = self.spec(name, ServerKind.DYNAMIC)
            files = edited(name, await to_thread.run_sync(read_content, spec.code_dir), edit)
            if edit.path == CODE_FILE and edit.text is not None:
                before = await to_thread.run_sync(self._folders.read, name)
                staged = await self._stage(name, apply_draft(name, before, Draft(edit.text)))
            else:
                staged = await self._staged(name, partial(self._folders.stage_files, name, files))
            return await self._taken_over_if_new(name, staged, Change(Origin.UPDATED, author))

    async def files(self, name: str) -> tuple[KeptFile, ...] | None:
        """Return the files of a dynamic server now; None when they are too large to be edited.

        Raises:
            UnknownServer, InvalidServer.
        """
        spec = self.spec(name, ServerKind.DYNAMIC)
        return (await to_thread.run_sync(read_content, spec.code_dir)).files

    async def roll_back(
        self, name: str, number: int | None, *, author: str, keep_policy: bool
    ) -> ServerReport:
        """Bring an earlier version back, as a new version, and report.

        Without a number: the newest one that worked before the present one. `keep_policy`: limits,
        life and what else the owner alone sets stay as they are; where nothing differs but them,
        what runs is left alone, and its report names no version.

        Raises:
            UnknownServer, InvalidServer: nothing was changed.
        """
        async with self._known.turn(name):
            spec = self.spec(name, ServerKind.DYNAMIC)
            version = await self._history.to_restore(spec, number)
            files = await self._history.files(version)
            if keep_policy:
                files = await to_thread.run_sync(self._folders.with_policy, name, files)
            staged = await self._staged(name, partial(self._folders.stage_files, name, files))
            change = Change(Origin.ROLLED_BACK, author, restored=version.number)
            return await self._taken_over_if_new(name, staged, change)

    async def approve(self, name: str, number: int) -> ServerReport:
        """Start a version that waited, as its owner says, and report.

        What the owner has set since stays, but for what the version itself changes; what comes of
        both, or was overtaken by other versions, is a new one.

        Raises:
            UnknownServer, InvalidServer: it does not wait, or is no server; nothing was changed.
        """
        async with self._known.turn(name):
            version = await self.held.get(name, number)
            files = await self.held.files(version)
            staged = await self._staged(name, partial(self._folders.stage_files, name, files))
            change = Change(Origin.UPDATED, version.author, restored=number)
            with to_the_end():
                report = await self._swap.take_over(name)
                verdict = verdict_of(report)
                await self.held.settle(version, verdict)
                same = await self._history.is_newest(name, staged.content.digest)
                if same or verdict.result is VersionResult.REJECTED:
                    return replace(report, version=number)
                return await self._noted(report, staged, change)

    async def delete(self, name: str) -> None:
        """Stop a dynamic server and remove its folder, data, credentials and switch.

        Raises:
            UnknownServer, InvalidServer: there is no such dynamic server.
        """
        async with self._known.turn(name):
            there = await to_thread.run_sync(self._folders.path(name).exists)
            unusable = there and name not in self._known
            if not unusable:
                self.spec(name, ServerKind.DYNAMIC)
            with to_the_end():
                await self.disk.forget(name)
                self._supervisor.forget_pins(name)
                await to_thread.run_sync(self._remove_files, name)
                await self._credentials.delete_server(name)
                await self._store.servers.delete(name)
                await self._history.delete(name)
                if unusable:
                    await to_thread.run_sync(self._shelf.read_problems)

    async def enable(self, name: str, kind: ServerKind) -> ServerReport:
        """Switch a server on, start it and report. Raises UnknownServer, InvalidServer."""
        async with self._known.turn(name):
            spec = self.spec(name, kind)
            await self._store.servers.set_enabled(name, True)
            return await self._operation.settle(spec, self._supervisor.enable(name))

    async def disable(self, name: str, kind: ServerKind) -> ServerReport:
        """Switch a server off, stop it and report. Raises UnknownServer, InvalidServer."""
        async with self._known.turn(name):
            spec = self.spec(name, kind)
            await self._store.servers.set_enabled(name, False)
            return await self._operation.settle(spec, self._supervisor.disable(name))

    async def renew(
        self, name: str, before: Callable[[], Awaitable[None]] | None = None
    ) -> ServerReport:
        """Bring in a child with the present credentials, if the server is on; lose no call.

        Nothing else changes the server from `before` on; what that raises is raised.
        """
        async with self._known.turn(name):
            if before is not None:
                await before()
            spec = self.spec(name)
            if not await self._operation.is_enabled(spec):
                return await self._operation.report(spec)
            return await self._operation.settle(spec, self._supervisor.apply(spec, enabled=True))

    async def renew_or_stop(self, name: str) -> ServerReport:
        """Bring in a child with the present credentials; one with the former ones does not stay."""
        report = await self.renew(name)
        return report if report.failure is None else await self.restart(name)

    async def restart(self, name: str) -> ServerReport:
        """Stop a server's child and start another, if the server is on, and report."""
        async with self._known.turn(name):
            spec = self.spec(name)
            if not await self._operation.is_enabled(spec):
                return await self._operation.report(spec)
            return await self._operation.settle(spec, self._supervisor.restart(name))

    async def report(self, name: str, kind: ServerKind) -> ServerReport:
        """Return a server as it is now. Raises UnknownServer, InvalidServer."""
        return await self._operation.report(self.spec(name, kind))

    async def reports(self, kind: ServerKind) -> tuple[ServerReport, ...]:
        """Return every server of a kind, by name."""
        found: list[ServerReport] = []
        for spec in self._known.of_kind(kind):
            # A server that is just being loaded or removed is not there, and not a fault.
            with suppress(UnknownServer):
                found.append(await self._operation.report(spec))
        return tuple(found)

    async def code(self, name: str) -> str | None:
        """Return the text of a dynamic server's `server.py`; None if it has another program."""
        self.spec(name, ServerKind.DYNAMIC)
        return (await to_thread.run_sync(self._folders.read, name)).code

    async def declared(self, name: str) -> Mapping[str, object]:
        """Return what the `metadata.json` of a dynamic server says.

        Raises:
            UnknownServer, InvalidServer.
        """
        self.spec(name, ServerKind.DYNAMIC)
        return (await to_thread.run_sync(self._folders.read, name)).metadata

    async def credentials(self, name: str) -> tuple[CredentialStatus, ...]:
        """Return what a server declares and what is set.

        Of a server that is not there any more: what is still stored. Raises UnknownServer when
        there is nothing either.
        """
        if name not in self._known and (left := await self._credentials.masked(name)):
            return undeclared_statuses(left)
        return await self._operation.statuses(self.spec(name))

    async def left_keys(self, name: str) -> tuple[str, ...]:
        """Return which secrets are stored under a name that no server has now."""
        if name in self._known:
            return ()
        return tuple(sorted(await self._credentials.keys(name)))

    def names(self) -> tuple[str, ...]:
        """Return every server's name."""
        return self._known.names()

    def spec(self, name: str, kind: ServerKind | None = None) -> ServerSpec:
        """Return a server's description. Raises UnknownServer, InvalidServer."""
        return self._known.spec(name, kind)

    def _serves(self, name: str, staged: Staged) -> bool:
        """Return whether just this is what a server's folder holds and its child runs."""
        seen = self._supervisor.snapshot(name)
        digest = staged.content.digest
        return seen.state is ServerState.READY and {seen.digest, self.spec(name).digest} == {digest}

    async def _made(
        self,
        name: str,
        staged: Staged,
        values: Iterable[tuple[str, str]],
        *,
        enable: bool,
        author: str,
    ) -> ServerReport:
        with to_the_end():
            await self._store.servers.set_enabled(name, enable)
            for key, value in values:
                await self._credentials.set(name, key, value)
            spec = await to_thread.run_sync(self._put_in_place, name)
            self._known.put(spec)
            report = await self._operation.apply(spec)
            return await self._noted(report, staged, Change(Origin.CREATED, author))

    async def _taken_over_if_new(self, name: str, staged: Staged, change: Change) -> ServerReport:
        if self._serves(name, staged):
            await to_thread.run_sync(self._folders.discard_staged, name)
            return await self._operation.report(staged.spec)
        return await self._taken_over(name, staged, change)

    async def _taken_over(self, name: str, staged: Staged, change: Change) -> ServerReport:
        """Put what was staged in place, or keep it until the owner approves."""
        with to_the_end():
            if not await self.held.holds(name):
                return await self._noted(await self._swap.take_over(name), staged, change)
            await to_thread.run_sync(self._folders.discard_staged, name)
            number = await self.held.keep(staged, change)
            report = await self._operation.report(self.spec(name))
            failure = Failure(sentence_of(name, number))
            return replace(report, failure=failure, version=number)

    async def _noted(self, report: ServerReport, staged: Staged, change: Change) -> ServerReport:
        name, verdict = report.spec.name, verdict_of(report)
        number = await self._history.add(name, staged.content, change, verdict)
        return replace(
            report,
            undeclared_hosts=staged.hosts,
            refused_reads=staged.refused_reads,
            version=number,
        )

    async def _stage(self, name: str, source: Source) -> Staged:
        return await self._staged(name, partial(self._folders.stage, name, source))

    async def _staged(self, name: str, write: Callable[[], Path]) -> Staged:
        """Write the next folder and read it; nothing is left behind if it is no server."""
        return await to_thread.run_sync(write_checked, self._folders, name, write)

    def _put_in_place(self, name: str) -> ServerSpec:
        return read_server(self._folders.put_in_place(name), ServerKind.DYNAMIC)

    def _recover(self) -> None:
        self._folders.recover()
        self.adding.recover()

    def _remove_files(self, name: str) -> None:
        self._folders.remove(name)
        with suppress(OSError):
            tree.remove(self._state_dir / name)

    async def _check_new(self, name: str) -> None:
        check_name(name)
        if name in RESERVED:
            raise InvalidServer(f"The server name {name!r} is reserved; choose another.")
        self._check_free(name)
        await self.held.check_new(name)

    def _check_free(self, name: str) -> None:
        if name in self._known:
            kind = self._known.spec(name).kind
            raise InvalidServer(
                f"There is a {kind} server named {name!r} already; choose another name"
                " or change that one with update_mcp_server."
            )
        if self._folders.path(name).exists():
            raise InvalidServer(
                f"The folder of a server named {name!r} is there but cannot be used;"
                " remove it with delete_mcp_server."
            )
