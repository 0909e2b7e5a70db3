"""One owner for what exists and what is switched on: every change to a server goes through here.

Above: tools, dashboard, command line. Below: the folders, the store's switches, the supervisor.
"""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
from anyio import CancelScope, to_thread

from gateway.credentials import Credentials
from gateway.domain.server_version import Origin, ServerVersion
from gateway.servers.content import KeptFile, read_content
from gateway.servers.draft import Draft, apply_draft
from gateway.servers.folders import TRIAL_PREFIX, DynamicFolders, Source
from gateway.servers.history import Change, History, verdict_of
from gateway.servers.report import (
    CredentialStatus,
    Failure,
    ServerReport,
    credential_statuses,
    failure_of,
)
from gateway.servers.shelf import Shelf
from gateway.servers.staging import Staged, write_checked
from gateway.store import Store
from sandboxes.errors import SandboxError
from sandboxes.limits import tree
from supervisor.errors import InvalidServer, NotConfigured, StartFailed, UnknownServer
from supervisor.folders.catalog import check_name, read_server
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor

RESERVED = frozenset({"all", "claude-in-chrome", "claude-runner", "computer-use", "ide"})
"""Names that our own endpoints, or the Claude CLI, keep for themselves."""

LOADED_AT_ONCE = 8
"""Starts under way when all servers are loaded; more would only make each miss its time-out."""

GONE_S = 0.5
"""A folder that is away for this long is gone; an editor or a checkout needs far less."""

SEAT_S = 8.0
"""A start takes two or three seconds; on a busy machine, eight at a time, longer."""
SETTLE_S = 5.0
"""Beyond its start time-out a server gets this long to be restarted once or to give up."""


class Servers:
    """Every server by name. Changes to one server take turns; different servers do not wait."""

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        store: Store,
        credentials: Credentials,
        fixed_dir: Path,
        dynamic_dir: Path,
        state_dir: Path,
        seat_s: float = SEAT_S,
    ) -> None:
        """`seat_s`: how long one server's start may keep others from being loaded."""
        self._supervisor = supervisor
        self._store = store
        self._credentials = credentials
        self._folders = DynamicFolders(dynamic_dir)
        self._history = History(store.server_versions)
        self._shelf = Shelf(fixed_dir, dynamic_dir)
        self._state_dir = state_dir
        self._seat_s = seat_s
        self._specs: dict[str, ServerSpec] = {}
        self._tried: dict[str, str] = {}
        self._turns: dict[str, anyio.Lock] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each folder that could not be read."""
        return self._shelf.problems

    async def load_all(self) -> None:
        """Hand every server on disk to the supervisor; return when all had time to settle."""
        specs = await to_thread.run_sync(self._read_disk)
        seats = anyio.CapacityLimiter(LOADED_AT_ONCE)

        async def load(spec: ServerSpec) -> None:
            # A silent server gives its seat up and goes on starting.
            async with seats:
                with anyio.move_on_after(self._seat_s):
                    await self._apply(spec)

        async with anyio.create_task_group() as group:
            for spec in specs:
                group.start_soon(load, spec)
        # Servers whose folders were removed by hand leave their environments behind.
        await self._supervisor.tidy()

    async def reread(self, name: str) -> None:
        """Take over what a server's folder holds now, if that is anything new.

        The newest content wins, also over a start that is under way. A folder that is gone takes
        its server along; its credentials, data and switch stay.
        """
        async with self._turn(name):
            spec = await self._news(name)
            if spec is None:
                return
            enabled = await self._is_enabled(spec)
            self._specs[name], self._tried[name] = spec, spec.digest
        # Out of turn, so that a later change need not wait for this start. Nobody asked for it;
        # why it failed is told by an event and stands in the server's state.
        with suppress(StartFailed, NotConfigured, SandboxError):
            await self._supervisor.apply(spec, enabled=enabled)

    async def create(self, name: str, draft: Draft, *, enable: bool, author: str) -> ServerReport:
        """Write a new dynamic server, start it unless told otherwise, and report.

        A server that does not start is kept, in state failed, and the report says why.

        Raises:
            InvalidServer: the name is bad or taken, or the code or a setting is wrong.
            CredentialRefused, RefusedName: a secret cannot be stored.
        """
        check_name(name)
        if name in RESERVED:
            raise InvalidServer(f"The server name {name!r} is reserved; choose another.")
        async with self._turn(name):
            self._check_free(name)
            for key, value in draft.values:
                self._credentials.check(name, key, value)
            staged = await self._stage(name, apply_draft(name, Source(None, {}), draft))
            with _to_the_end():
                await self._store.servers.set_enabled(name, enable)
                for key, value in draft.values:
                    await self._credentials.set(name, key, value)
                spec = await to_thread.run_sync(self._put_in_place, name)
                self._specs[name] = spec
                report = await self._apply(spec)
                return await self._noted(report, staged, Change(Origin.CREATED, author))

    async def update(self, name: str, draft: Draft, *, author: str) -> ServerReport:
        """Change a dynamic server as a whole or not at all, and report.

        If the new code does not start, the old code keeps serving and is what the folder holds.

        Raises:
            UnknownServer, InvalidServer: nothing was changed.
        """
        async with self._turn(name):
            self.spec(name, ServerKind.DYNAMIC)
            before = await to_thread.run_sync(self._folders.read, name)
            staged = await self._stage(name, apply_draft(name, before, draft))
            with _to_the_end():
                report = await self._replace(name)
                return await self._noted(report, staged, Change(Origin.UPDATED, author))

    async def roll_back(self, name: str, number: int | None, *, author: str) -> ServerReport:
        """Bring an earlier version back, as a new version, and report.

        Without a number: the newest one that worked before the present one.

        Raises:
            UnknownServer, InvalidServer: nothing was changed.
        """
        async with self._turn(name):
            spec = self.spec(name, ServerKind.DYNAMIC)
            version = await self._history.to_restore(spec, number)
            files = await self._history.files(version)
            staged = await self._staged(name, partial(self._folders.stage_files, name, files))
            with _to_the_end():
                report = await self._replace(name)
                change = Change(Origin.ROLLED_BACK, author, restored=version.number)
                return await self._noted(report, staged, change)

    async def versions(self, name: str) -> tuple[ServerVersion, ...]:
        """Return what is kept of a dynamic server, newest first.

        Raises:
            UnknownServer, InvalidServer.
        """
        self.spec(name, ServerKind.DYNAMIC)
        return await self._history.all(name)

    async def version_files(self, name: str, number: int) -> tuple[KeptFile, ...]:
        """Return the files of one version.

        Raises:
            UnknownServer, InvalidServer: there is none, or its files are not kept.
        """
        self.spec(name, ServerKind.DYNAMIC)
        return await self._history.files(await self._history.get(name, number))

    async def look(self, name: str, rejected: str) -> None:
        """Write down what a dynamic server's folder holds, if that is new.

        `rejected` is why it was not taken over; '' when nothing says so.
        """
        async with self._turn(name):
            spec = self._specs.get(name)
            if spec is None or spec.kind is not ServerKind.DYNAMIC:
                return
            content = await to_thread.run_sync(read_content, spec.code_dir)
            seen = self._supervisor.snapshot(name)
            await self._history.found(name, content, seen, rejected)

    async def delete(self, name: str) -> None:
        """Stop a dynamic server and remove its folder, data, credentials and switch.

        Raises:
            UnknownServer, InvalidServer: there is no such dynamic server.
        """
        async with self._turn(name):
            there = await to_thread.run_sync(self._folders.path(name).exists)
            unusable = there and name not in self._specs
            if not unusable:
                self.spec(name, ServerKind.DYNAMIC)
            with _to_the_end():
                await self._forget(name)
                await to_thread.run_sync(self._remove_files, name)
                await self._credentials.delete_server(name)
                await self._store.servers.delete(name)
                await self._history.delete(name)
                if unusable:
                    await to_thread.run_sync(self._shelf.read_problems)

    async def enable(self, name: str, kind: ServerKind) -> ServerReport:
        """Switch a server on, start it and report. Raises UnknownServer, InvalidServer."""
        async with self._turn(name):
            spec = self.spec(name, kind)
            await self._store.servers.set_enabled(name, True)
            return await self._settle(spec, self._supervisor.enable(name))

    async def disable(self, name: str, kind: ServerKind) -> ServerReport:
        """Switch a server off, stop it and report. Raises UnknownServer, InvalidServer."""
        async with self._turn(name):
            spec = self.spec(name, kind)
            await self._store.servers.set_enabled(name, False)
            return await self._settle(spec, self._supervisor.disable(name))

    async def renew(self, name: str) -> ServerReport:
        """Bring in a child with the present credentials, if the server is on; lose no call."""
        async with self._turn(name):
            spec = self.spec(name)
            if not await self._is_enabled(spec):
                return await self._report(spec)
            return await self._settle(spec, self._supervisor.apply(spec, enabled=True))

    async def renew_or_stop(self, name: str) -> ServerReport:
        """Bring in a child with the present credentials; one with the former ones does not stay."""
        report = await self.renew(name)
        return report if report.failure is None else await self.restart(name)

    async def restart(self, name: str) -> ServerReport:
        """Stop a server's child and start another, if the server is on, and report."""
        async with self._turn(name):
            spec = self.spec(name)
            if not await self._is_enabled(spec):
                return await self._report(spec)
            return await self._settle(spec, self._supervisor.restart(name))

    async def report(self, name: str, kind: ServerKind) -> ServerReport:
        """Return a server as it is now. Raises UnknownServer, InvalidServer."""
        return await self._report(self.spec(name, kind))

    async def reports(self, kind: ServerKind) -> tuple[ServerReport, ...]:
        """Return every server of a kind, by name."""
        specs = [spec for _, spec in sorted(self._specs.items()) if spec.kind is kind]
        found: list[ServerReport] = []
        for spec in specs:
            # A server that is just being loaded or removed is not there, and not a fault.
            with suppress(UnknownServer):
                found.append(await self._report(spec))
        return tuple(found)

    async def code(self, name: str) -> str | None:
        """Return the text of a dynamic server's `server.py`; None if it has another program."""
        self.spec(name, ServerKind.DYNAMIC)
        return (await to_thread.run_sync(self._folders.read, name)).code

    async def credentials(self, name: str) -> tuple[CredentialStatus, ...]:
        """Return what a server declares and what is set. Raises UnknownServer."""
        return await self._statuses(self.spec(name))

    def names(self) -> tuple[str, ...]:
        """Return every server's name."""
        return tuple(sorted(self._specs))

    def spec(self, name: str, kind: ServerKind | None = None) -> ServerSpec:
        """Return a server's description.

        Raises:
            UnknownServer: there is none of this name.
            InvalidServer: the text is not a server's name, or it is one of the other kind.
        """
        check_name(name)
        if name not in self._specs:
            raise UnknownServer(name, self.names())
        spec = self._specs[name]
        if kind and spec.kind is not kind:
            raise InvalidServer(
                f"Server {name!r} is a {spec.kind} server, not a {kind} one;"
                f" use the tools for {spec.kind} servers."
            )
        return spec

    async def _news(self, name: str) -> ServerSpec | None:
        """Return a server whose folder holds something that was not tried yet."""
        try:
            spec = await to_thread.run_sync(self._shelf.read, name)
            if spec is None:
                # A folder that is being replaced is away for a moment.
                await anyio.sleep(GONE_S)
                spec = await to_thread.run_sync(self._shelf.read, name)
        except InvalidServer as error:
            await self._cannot_use(name, error)
            return None
        if spec is None:
            await self._forget(name)
        if self._shelf.problems:
            await to_thread.run_sync(self._shelf.read_problems)
        if spec is None or spec.digest == self._tried.get(name):
            return None
        return None if self._runs(spec) else spec

    async def _forget(self, name: str) -> None:
        self._tried.pop(name, None)
        if self._specs.pop(name, None):
            await self._supervisor.remove(name)

    def _runs(self, spec: ServerSpec) -> bool:
        """Return whether a child of just this content runs, such as after a broken edit undone."""
        try:
            seen = self._supervisor.snapshot(spec.name)
        except UnknownServer:
            return False
        if seen.digest != spec.digest or seen.pid is None:
            return False
        self._specs[spec.name], self._tried[spec.name] = spec, spec.digest
        self._supervisor.forget_rejection(spec.name)
        return True

    async def _cannot_use(self, name: str, error: InvalidServer) -> None:
        """Tell of a folder on disk that cannot be read as a server; what runs goes on."""
        self._tried.pop(name, None)
        if name in self._specs:
            self._supervisor.reject(name, str(error))
        else:
            await to_thread.run_sync(self._shelf.read_problems)

    async def _replace(self, name: str) -> ServerReport:
        spec, kept = self._specs[name], False
        try:
            new = await to_thread.run_sync(self._put_in_place, name)
            report = await self._apply(new)
            # A server that was not running has nothing to go back to: it now is the new code.
            kept = report.failure is None or report.snapshot.digest == new.digest
            spec = new if kept else spec
        finally:
            end = self._folders.confirm if kept else self._folders.take_back
            await to_thread.run_sync(end, name)
        self._specs[name] = spec
        return replace(report, spec=spec)

    async def _apply(self, spec: ServerSpec) -> ServerReport:
        enabled = await self._is_enabled(spec)
        self._tried[spec.name] = spec.digest
        return await self._settle(spec, self._supervisor.apply(spec, enabled=enabled))

    async def _settle(self, spec: ServerSpec, change: Awaitable[None]) -> ServerReport:
        """Carry out a change in the supervisor, wait until it has settled, and report."""
        try:
            await change
        except (StartFailed, NotConfigured, SandboxError) as error:
            tail = error.stderr_tail if isinstance(error, StartFailed) else ()
            return await self._report(spec, Failure(str(error), tail))
        seen = await self._supervisor.wait_settled(spec.name, spec.start_timeout_s + SETTLE_S)
        return await self._report(spec, failure_of(seen))

    async def _report(self, spec: ServerSpec, failure: Failure | None = None) -> ServerReport:
        return ServerReport(
            spec=spec,
            snapshot=self._supervisor.snapshot(spec.name),
            metrics=self._supervisor.metrics(spec.name),
            enabled=await self._is_enabled(spec),
            # Of this description, which new code that was refused does not leave behind.
            credentials=await self._statuses(spec),
            failure=failure,
        )

    async def _statuses(self, spec: ServerSpec) -> tuple[CredentialStatus, ...]:
        return credential_statuses(spec, tuple(await self._credentials.masked(spec.name)))

    async def _is_enabled(self, spec: ServerSpec) -> bool:
        switch = await self._store.servers.enabled(spec.name)
        return not self._shelf.is_off(spec.name) if switch is None else switch

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

    def _remove_files(self, name: str) -> None:
        self._folders.remove(name)
        with suppress(OSError):
            tree.remove(self._state_dir / name)

    def _read_disk(self) -> tuple[ServerSpec, ...]:
        self._folders.recover()
        for leftover in self._state_dir.glob(f"{TRIAL_PREFIX}*"):
            tree.remove(leftover)
        specs = self._shelf.read_all()
        self._specs = {spec.name: spec for spec in specs}
        return specs

    def _check_free(self, name: str) -> None:
        if name in self._specs:
            kind = self._specs[name].kind
            raise InvalidServer(
                f"There is a {kind} server named {name!r} already; choose another name"
                " or change that one with update_mcp_server."
            )
        if self._folders.path(name).exists():
            raise InvalidServer(
                f"The folder of a server named {name!r} is there but cannot be used;"
                " remove it with delete_mcp_server."
            )

    def _turn(self, name: str) -> anyio.Lock:
        return self._turns.setdefault(name, anyio.Lock())


@contextmanager
def _to_the_end() -> Generator[None]:
    """Half a change is worse than a caller who waits: bounded by the server's start time-out."""
    with CancelScope(shield=True):
        yield
