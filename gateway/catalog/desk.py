"""Adds servers of PyPI, npm and this machine, pinned, tells which are outdated, and updates them.

Only the owner comes here, by command or page: code from outside, and what it may do, is his word.
Above: the routes. Below: `adding`, which writes folders and swaps them, and the supervisor.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from anyio import to_thread

from gateway.catalog.asking import differences
from gateway.catalog.packages import Wanted, pin_of, python_program, recipe_of, wanted_by, with_lock
from gateway.catalog.pins import PIN_FILE, Kind, Pin, read_pin, write_pin
from gateway.catalog.trying import Tried, try_tools
from gateway.importing.planning import Ground, plan
from gateway.importing.plans import Plan, Program
from gateway.servers import ServerReport, Servers
from gateway.servers.folders import METADATA_FILE
from sandboxes.environment import check_name
from sandboxes.errors import RefusedName, SandboxError
from sandboxes.packages.recipe import Recipe
from supervisor.errors import InvalidServer
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor

OWNER = "owner"
"""The author of versions that are made here."""
CHUNK = 1024 * 1024


class CatalogRefused(Exception):
    """A server that cannot be added or changed as asked; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A server that the owner wants."""

    program: Program
    network: str | list[str] = "none"
    source_builds: bool = False
    """Whether packages may run their own build code, in the sandbox of builds."""


@dataclass(frozen=True, slots=True)
class Added:
    """A server that is there now, switched off."""

    report: ServerReport
    pin: Pin
    is_new: bool
    """False: just this was there already."""
    tried: Tried | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Seen:
    """What looking at a staged server gave."""

    tried: Tried = field(default_factory=lambda: Tried(None))


class Catalog:
    """What the owner does with servers from elsewhere."""

    def __init__(
        self, servers: Servers, supervisor: Supervisor, ground: Ground, state_dir: Path
    ) -> None:
        self._servers = servers
        self._adding = servers.adding
        self._supervisor = supervisor
        self._ground = ground
        self._state_dir = state_dir

    async def add(self, name: str, wish: Wish) -> Added:
        """Add a server, switched off; nothing is left of one that cannot be made.

        Raises:
            CatalogRefused, CannotImport, InvalidServer: it cannot.
        """
        _check_keys(name, wish.program)
        planned = plan(wish.program, replace(self._ground, network=wish.network))
        wanted = wanted_by(planned.files)
        there = await self._there(name, planned, wanted, wish)
        if there is not None:
            return there
        self._adding.check_free(name)
        await self._check_unclaimed(name)
        if wanted is None:
            pin = await to_thread.run_sync(command_pin, planned.command)
            return await self._create(name, planned, planned.files, pin)
        locked = await self.lock(name, recipe_of(wanted, source_builds=wish.source_builds))
        async with self.environment(name, locked) as environment:
            files, more = with_lock(planned.files, locked), dict[str, object]()
            if wanted.kind is Kind.PYPI:
                program, *rest = planned.command
                found = await to_thread.run_sync(python_program, environment, wanted.name, program)
                more["command"] = [found, *rest]
            if wish.source_builds:
                more["allow_source_builds"] = True
            files[METADATA_FILE] = _with_more(files[METADATA_FILE], more)
            return await self._create(name, planned, files, pin_of(wanted, locked))

    async def _check_unclaimed(self, name: str) -> None:
        """Refuse a name under which a former server left anything: it was not meant for this."""
        left = await self._servers.left_keys(name)
        if left:
            raise CatalogRefused(
                f"A former server {name!r} left {', '.join(left)}; forget each with: "
                f"./claude-runner credentials delete {name} {left[0]} - or choose another --name."
            )
        files = await self._servers.removal.left(name)
        if files:
            raise CatalogRefused(
                f"A former server {name!r} left {' and '.join(files)}; remove that with: "
                f"./claude-runner servers remove {name} - or choose another --name."
            )

    async def lock(self, name: str, recipe: Recipe) -> Recipe:
        """Return the exact packages of a server. Raises CatalogRefused."""
        try:
            return await self._supervisor.lock(recipe)
        except SandboxError as error:
            raise CatalogRefused(_packages_refused(name, error)) from error

    @asynccontextmanager
    async def environment(self, name: str, recipe: Recipe) -> AsyncGenerator[Path]:
        """Give the environment of a server, and keep it meanwhile. Raises CatalogRefused."""
        try:
            async with self._supervisor.environment(recipe) as files:
                yield files
        except SandboxError as error:
            raise CatalogRefused(_packages_refused(name, error)) from error

    async def _there(
        self, name: str, planned: Plan, wanted: Wanted | None, wish: Wish
    ) -> Added | None:
        """Return the server that is just what is asked for, if it was added already.

        Raises CatalogRefused where it is another one of the same package.
        """
        if name not in self._adding.names():
            return None
        there = await self._adding.files(name)
        pin = read_pin(there.get(PIN_FILE))
        kind, package = (Kind.COMMAND, planned.command[0])
        if wanted is not None:
            kind, package = wanted.kind, wanted.name
        if pin is None or (pin.kind, pin.package) != (kind, package):
            return None
        if wanted is not None and wanted.version not in (None, pin.version):
            raise CatalogRefused(
                f"Server {name!r} is {pin.source}; change its version with: "
                f"./claude-runner servers update {name} --to {wanted.version}"
            )
        more = {"allow_source_builds": True} if wish.source_builds else {}
        asked = _with_more(planned.files[METADATA_FILE], more)
        others = differences(asked, there.get(METADATA_FILE, ""), pin)
        if others:
            raise CatalogRefused(
                f"Server {name!r} is there already, with other {' and '.join(others)} than asked "
                f"for; change its {METADATA_FILE}, or choose another --name."
            )
        report = await self._servers.report(name, ServerKind.FIXED)
        return Added(report, pin, is_new=False)

    async def _create(self, name: str, planned: Plan, files: Mapping[str, str], pin: Pin) -> Added:
        seen = _Seen()

        async def look(spec: ServerSpec) -> None:
            seen.tried = await try_tools(self._supervisor, self._state_dir, spec)

        whole = {**files, PIN_FILE: write_pin(pin)}
        report = await self._adding.create(name, whole, author=OWNER, look=look)
        return Added(report, pin, is_new=True, tried=seen.tried, notes=planned.notes)


def command_pin(command: tuple[str, ...]) -> Pin:
    """Return what a program and the files among its arguments are now. Blocking."""
    total = sha256()
    for word in command:
        path = Path(word)
        if not path.is_absolute() or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    total.update(chunk)
        except OSError as error:
            raise InvalidServer(f"{path} cannot be read ({error.strerror}).") from error
    return Pin(Kind.COMMAND, command[0], "", f"sha256:{total.hexdigest()}")


def _check_keys(name: str, program: Program) -> None:
    for key in program.wanted:
        try:
            check_name(key)
        except RefusedName as error:
            raise CatalogRefused(f"Server {name!r} cannot be added: {error}") from error


def _packages_refused(name: str, error: SandboxError) -> str:
    return f"The packages of server {name!r} cannot be had: {str(error).rstrip('.')}."


def _with_more(metadata: str, more: Mapping[str, object]) -> str:
    said: dict[str, Any] = json.loads(metadata)
    return json.dumps({**said, **more}, indent=2) + "\n"
