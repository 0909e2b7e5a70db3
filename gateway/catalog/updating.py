"""Which added servers are outdated, and their updates: built beside, swapped, or left as they are.

Above: the routes. Below: `desk`, which finds and builds packages, and `adding`, which swaps.
"""

from dataclasses import dataclass

from anyio import to_thread

from gateway.catalog.desk import OWNER, Catalog, CatalogRefused, command_pin
from gateway.catalog.packages import (
    Wanted,
    changed_packages,
    lock_files,
    pin_of,
    python_program,
    recipe_of,
)
from gateway.catalog.pins import PIN_FILE, Kind, Pin, read_pin, write_pin
from gateway.domain.server_version import Origin
from gateway.importing.plans import CannotImport
from gateway.servers import ServerReport, Servers
from gateway.servers.history import Change
from sandboxes.packages.recipe import PythonRecipe, Recipe
from supervisor.errors import InvalidServer, UnknownServer
from supervisor.spec import ServerSpec


@dataclass(frozen=True, slots=True)
class Standing:
    """A server, and what it would be if it was updated now."""

    server: str
    pin: Pin | None
    """None: nothing that can be read says what it is."""
    newest: str | None
    """None: it cannot be said, and `problem` says why."""
    changes: tuple[str, ...] = ()
    """In words, package by package."""
    problem: str = ""

    @property
    def is_outdated(self) -> bool:
        """True where an update would change something."""
        return bool(self.changes)


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of an update."""

    standing: Standing
    report: ServerReport | None
    """None: nothing was changed."""


class Updates:
    """Looks up and carries out updates of added servers."""

    def __init__(self, catalog: Catalog, servers: Servers) -> None:
        self._catalog = catalog
        self._adding = servers.adding

    async def all(self) -> tuple[Standing, ...]:
        """Return every added server; the index is asked for one after the other."""
        found: list[Standing] = []
        for name in self._adding.names():
            pin: Pin | None = None
            try:
                pin = await self._pin(name)
                found.append((await self._next(name, pin, None))[0])
            except (CatalogRefused, InvalidServer, UnknownServer, OSError) as error:
                # One that cannot be looked at keeps no other from it.
                found.append(Standing(name, pin, None, problem=str(error)))
        return tuple(found)

    async def update(self, name: str, version: str | None, *, dry_run: bool) -> Updated:
        """Bring a server to a version, the newest without one; what runs goes on if it fails.

        Raises:
            CatalogRefused, InvalidServer, UnknownServer: nothing was changed.
        """
        pin = await self._pin(name)
        standing, locked = await self._next(name, pin, version)
        if dry_run or not standing.is_outdated:
            return Updated(standing, None)
        change = Change(Origin.UPDATED, OWNER)
        if locked is None:
            fresh = await self._command_pin(name)
            changed = {PIN_FILE: write_pin(fresh)}
            return Updated(standing, await self._adding.replace(name, changed, change))
        async with self._catalog.environment(name, locked) as environment:
            spec = self._adding.spec(name)
            if isinstance(locked, PythonRecipe) and spec.command is not None:
                try:
                    program = await to_thread.run_sync(
                        python_program, environment, pin.package, spec.command[0]
                    )
                except CannotImport as error:
                    raise CatalogRefused(str(error)) from error
                if program != spec.command[0]:
                    raise CatalogRefused(
                        f"The new version of server {name!r} has no program {spec.command[0]!r} "
                        f"any more, but {program!r}; add it anew."
                    )
            fresh = pin_of(_wanted(pin, None), locked)
            changed = {**lock_files(locked), PIN_FILE: write_pin(fresh)}
            return Updated(standing, await self._adding.replace(name, changed, change))

    async def roll_back(self, name: str, number: int | None) -> ServerReport:
        """Bring an earlier version back. Raises InvalidServer, UnknownServer."""
        return await self._adding.roll_back(name, number, author=OWNER)

    async def _next(
        self, name: str, pin: Pin, version: str | None
    ) -> tuple[Standing, Recipe | None]:
        spec = self._adding.spec(name)
        if pin.kind is Kind.COMMAND:
            if version is not None:
                raise CatalogRefused(f"Server {name!r} is a program of this machine: no --to.")
            fresh = await self._command_pin(name)
            changes = () if fresh.digest == pin.digest else ("its files changed",)
            return Standing(name, pin, "changed" if changes else "", changes), None
        wanted = _wanted(pin, version)
        builds = isinstance(spec.recipe, PythonRecipe) and spec.recipe.source_builds
        locked = await self._catalog.lock(name, recipe_of(wanted, source_builds=builds))
        changes = () if locked == spec.recipe else changed_packages(spec.recipe, locked)
        return Standing(name, pin, pin_of(wanted, locked).version, changes), locked

    async def _pin(self, name: str) -> Pin:
        pin = read_pin((await self._adding.files(name)).get(PIN_FILE))
        if pin is None:
            raise CatalogRefused(f"{PIN_FILE} of server {name!r} cannot be read; add it anew.")
        return pin

    async def _command_pin(self, name: str) -> Pin:
        spec: ServerSpec = self._adding.spec(name)
        if not spec.command:
            raise CatalogRefused(f"Server {name!r} has no command any more; add it anew.")
        return await to_thread.run_sync(command_pin, spec.command)


def _wanted(pin: Pin, version: str | None) -> Wanted:
    return Wanted(pin.kind, pin.package, version)
