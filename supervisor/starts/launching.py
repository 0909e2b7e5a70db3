"""From a spec and its credentials to something that can be spawned. Above: `supervisor`."""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import anyio.to_thread

from sandboxes import probe
from sandboxes.environment import child_environment
from sandboxes.launch import Launch, prepare
from sandboxes.ownership import assign_uid, make_folders
from sandboxes.packages.build_step import BuildFailed, Progress
from sandboxes.packages.environments import Environments
from sandboxes.policy import Level, Limits, Policy
from sandboxes.warm import standby
from sandboxes.warm.parent import WarmConfig
from supervisor import system_packages
from supervisor.errors import EnvironmentFailed, NotConfigured, StartFailed
from supervisor.folders.syntax import check_code
from supervisor.spec import ServerSpec
from supervisor.starts.leftovers import MARKER
from supervisor.starts.staging import stage
from supervisor.starts.surroundings import surroundings

QUIET = {"FASTMCP_SHOW_SERVER_BANNER": "false", "FASTMCP_CHECK_FOR_UPDATES": "off"}
"""Keeps FastMCP's banner out of the logs, and its servers from asking for newer versions."""
READ_AT_IMPORT = ("FASTMCP_", "MCP_", "PYDANTIC_", "OTEL_")
"""Variables that libraries read when they are imported: too late for a fork."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where children live and what starts them."""

    servers: Path
    """Holds `<name>/data` and `<name>/private`."""
    python: Path
    level: Level
    uid_base: int
    home_mark: str
    warm: WarmConfig | None = None
    """What forked children can be given; None where every start is cold."""
    closed_ports: tuple[int, ...] = ()
    """Out of reach of children with network `full`."""

    def data_dir(self, name: str) -> Path:
        """Return the folder a server may write."""
        return self.servers / name / "data"

    def private_dir(self, name: str) -> Path:
        """Return the folder that is a server's HOME."""
        return self.servers / name / "private"

    def copies(self, name: str) -> Path:
        """Return the folder for copies of a server's code."""
        return self.servers / name / "code"

    def writable(self, name: str) -> tuple[Path, ...]:
        """Return the folders that count against a server's limits."""
        return self.data_dir(name), self.private_dir(name)


class Launcher:
    """Builds launches: command, environment from nothing, policy."""

    def __init__(
        self,
        workplace: Workplace,
        credentials: Callable[[ServerSpec], Awaitable[Mapping[str, str]]],
        environments: Environments,
    ) -> None:
        self._workplace = workplace
        self._credentials = credentials
        self._environments = environments
        self._level_proven = False
        # A uid counts as taken only once its folder is handed over: one build at a time.
        self._one_at_a_time = anyio.CapacityLimiter(1)

    async def launch(
        self, spec: ServerSpec, progress: Progress, secrets: Mapping[str, str] | None = None
    ) -> Launch:
        """Return how to start a server now, once the environment that it declares is there.

        `secrets` take the place of the server's own, when they are given.

        Raises:
            InvalidCode: its code is no Python.
            NotConfigured: a required credential is not set, a package of the system is missing, or
                its folders cannot be made.
            EnvironmentFailed, StartFailed: its environment cannot be built, or not this time.
            SandboxError: the level or the network that it needs cannot be had.
        """
        await anyio.to_thread.run_sync(check_code, spec)
        if secrets is None:
            secrets = await self._credentials(spec)
        _require(spec, secrets)
        await anyio.to_thread.run_sync(system_packages.require, spec.name, spec.system_packages)
        # Folders and the probe of the level touch the disk and may run a program.
        try:
            await anyio.to_thread.run_sync(self._check_level, limiter=self._one_at_a_time)
            own = await self._environment(spec, progress)
            return await anyio.to_thread.run_sync(
                self._build, spec, secrets, own, limiter=self._one_at_a_time
            )
        except OSError as error:
            raise NotConfigured(f"its folders cannot be used: {error}") from error

    async def _environment(self, spec: ServerSpec, progress: Progress) -> Path | None:
        if spec.recipe is None:
            return None
        try:
            return await self._environments.ensure(spec.recipe, progress)
        except BuildFailed as error:
            kind = EnvironmentFailed if error.lasting else StartFailed
            reason = f"its environment could not be built: {error}"
            raise kind(spec.name, reason, error.tail) from error

    def _build(self, spec: ServerSpec, secrets: Mapping[str, str], own: Path | None) -> Launch:
        place = self._workplace
        runs_in = surroundings(
            spec,
            python=place.python,
            own=own,
            level=place.level,
            copies=place.copies(spec.name),
        )
        if runs_in.staged is not None:
            stage(runs_in.staged)
        data_dir, private = place.data_dir(spec.name), place.private_dir(spec.name)
        uid = self._uid(data_dir)
        make_folders(data_dir, private, uid)
        declared = {c.key: secrets[c.key] for c in spec.credentials if c.key in secrets}
        environment = child_environment(
            data_dir=data_dir,
            private=private,
            declared=declared,
            plain={**QUIET, **dict(spec.environment)},
            programs=runs_in.programs,
        )
        if spec.unix_sockets:
            # A socket's path has at most 107 bytes, and a home may lie deep.
            environment["TMPDIR"] = "/tmp"  # noqa: S108 - the child's own
        environment[MARKER] = f"{spec.name}@{place.home_mark}"
        policy = Policy(
            level=place.level,
            data_dir=data_dir,
            read_only=(spec.code_dir, *runs_in.readable, *spec.read_only),
            read_write=(private, *spec.read_write),
            shown=runs_in.shown,
            unix_sockets=spec.unix_sockets,
            network=spec.network,
            limits=spec.limits,
            closed_ports=place.closed_ports,
            uid=uid,
        )
        ready = prepare(runs_in.command, env=environment, cwd=data_dir, policy=policy)
        names = (*declared, *dict(spec.environment))
        if not self._may_be_warm(spec, names):
            return replace(ready, confinement=None)
        if spec.recipe is None:
            return ready if self._may_be_forked(policy) else replace(ready, confinement=None)
        plain = {name: text for name, text in environment.items() if name not in names}
        waits = standby.blank(
            runs_in.command,
            env=plain,
            cwd=data_dir,
            policy=policy,
            code=spec.code_dir,
        )
        return replace(ready, confinement=None, blank=waits)

    def _may_be_warm(self, spec: ServerSpec, names: tuple[str, ...]) -> bool:
        """Return whether a process that imported its libraries before can be this server."""
        return (
            self._workplace.warm is not None
            and spec.command is None
            and not spec.unix_sockets
            and not any(name.startswith(READ_AT_IMPORT) for name in names)
        )

    def _may_be_forked(self, policy: Policy) -> bool:
        """Return whether the warm process can give a child all that this one is given."""
        warm = self._workplace.warm
        return (
            warm is not None
            and policy.limits.shared_memory_bytes == Limits().shared_memory_bytes
            and warm.sees((policy.data_dir, *policy.read_only, *policy.read_write))
        )

    def _check_level(self) -> None:
        """Start a probe child before the first server; again as long as the level is not there."""
        if not self._level_proven:
            probe.require(self._workplace.level, uid_base=self._workplace.uid_base)
            self._level_proven = True

    def _uid(self, data_dir: Path) -> int | None:
        place = self._workplace
        if os.geteuid() != 0 or place.level is Level.OFF:
            return None
        return assign_uid(place.servers, data_dir, place.uid_base)


def _require(spec: ServerSpec, secrets: Mapping[str, str]) -> None:
    missing = [c.key for c in spec.credentials if c.required and c.key not in secrets]
    if missing:
        names = ", ".join(missing)
        raise NotConfigured(f"credential {names} is not set for server {spec.name!r}")
