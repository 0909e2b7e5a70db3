"""Where the CLI of one attempt lives: its folders, the way to the gateway, its tokens, its fence.

A place is opened for the id of a run and a setup; what the run is otherwise it does not know.
Above: `agent`, which opens it for an attempt, and `standby`, for a run that is still to come.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

from gateway.auth.run_tokens import RunTokens
from gateway.domain.run import Run
from gateway.forwarder import Account, Accounts
from gateway.jobs.cli_process import CliProcess
from gateway.jobs.confinement import assign_uid, confine, hand_over_folders
from gateway.jobs.door import Asgi, Door, door_on_loopback, door_to_sandbox, rooms
from gateway.jobs.folders import (
    RunFolders,
    folders_for,
    folders_of,
    keep_conversation,
    make_folders,
    remove_folders,
    write_servers,
    write_system_prompt,
)
from gateway.jobs.gate import ServerGate
from gateway.jobs.options import AgentConfig, cli_environment, cli_options
from gateway.jobs.run_egress import egress_of, proxy_of
from gateway.jobs.setup import Setup
from gateway.server_entries import combined_entry
from sandboxes.launch import Launch
from sandboxes.network.outside import Outside
from sandboxes.network.traffic import Traffic
from sandboxes.policy import Level

TOKEN_MARGIN_S = 300.0
"""A run's token outlives its time limit by the start before and the clean-up after."""


@dataclass(slots=True)
class Place:
    """One that is open."""

    setup: Setup
    folders: RunFolders
    account: Account
    """Held: no request passes until the run is seen to have its tools."""
    traffic: Traffic
    cli: CliProcess
    is_resumed: bool = False
    """The conversation goes on in another attempt, so its folder stays."""


class Places:
    """Opens them."""

    def __init__(
        self,
        home: Path,
        config: AgentConfig,
        gate: ServerGate,
        run_tokens: RunTokens,
        accounts: Accounts,
        forwarder: Asgi,
        outside: Outside,
    ) -> None:
        self._home = home
        self._config = config
        self._gate = gate
        self._run_tokens = run_tokens
        self._accounts = accounts
        self._outside = outside
        self._rooms = rooms(forwarder, gate.serve)
        self._assigning = anyio.Lock()
        """One user at a time: the owner of a work folder is the record that its uid is taken."""

    def folders(self, run: Run) -> RunFolders:
        """Return where the folders of a run are, made or not."""
        return folders_of(self._home, run)

    @asynccontextmanager
    async def open(
        self, run_id: str, setup: Setup, *, wait_s: float = 0.0
    ) -> AsyncGenerator[Place]:
        """Give a place; its tokens and private folder are gone afterwards.

        The CLI in it is not started. `wait_s`: how long it may wait for its run. Raises
        RunRefused and SandboxError.
        """
        level = self._config.level
        egress, traffic = egress_of(setup.network, level), Traffic()
        proxy = egress and proxy_of(run_id, egress, self._outside, traffic)
        folders = folders_for(self._home, run_id, setup.owner)
        make_folders(folders, passable=level is Level.REDUCED)
        if wait_s:
            folders.standby_file.touch()
        api_token, account = self._accounts.open(
            run_id, setup.left_micro_usd, max_turns=setup.max_turns, turns=setup.turns
        )
        account.hold()
        door = door_to_sandbox(folders.private) if level is Level.STRONG else door_on_loopback()
        leave = remove_folders
        try:
            self._hand_over(run_id, setup, folders, door, wait_s)
            env = cli_environment(folders, self._config, api_url=door.url, api_token=api_token)
            launch = await self._confine(env, folders, proxied=proxy is not None)
            options = partial(cli_options, setup, folders, config=self._config, launch=launch)
            cli = CliProcess(
                folders,
                lambda stderr: options(stderr=stderr),
                has_servers=bool(setup.access.servers),
            )
            place = Place(setup, folders, account, traffic, cli)
            async with door.serving(self._rooms, proxy):
                try:
                    yield place
                finally:
                    leave = keep_conversation if place.is_resumed else remove_folders
        finally:
            self._run_tokens.revoke(run_id)
            self._accounts.close(account)
            door.close()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(leave, folders)

    def _hand_over(
        self, run_id: str, setup: Setup, folders: RunFolders, door: Door, wait_s: float
    ) -> None:
        """Put what the CLI reads at its start into its folder."""
        servers = setup.access.servers
        if servers:
            token = self._run_tokens.issue(
                run_id,
                tools=setup.access.tools,
                names=setup.access.renamed,
                ttl_s=wait_s + setup.timeout_s + TOKEN_MARGIN_S,
            )
            entries = self._gate.entries(servers, token, door.url)
            entries |= combined_entry(base_url=door.url, token=token)
            write_servers(folders, {name: entries[name] for name in setup.access.entries})
        if setup.system_prompt is not None:
            write_system_prompt(folders, setup.system_prompt)

    async def _confine(
        self, env: Mapping[str, str], folders: RunFolders, *, proxied: bool
    ) -> Launch:
        """Hand the folders over to the CLI's user and return how the CLI starts."""
        config = self._config
        async with self._assigning:
            uid = assign_uid(folders, config.uid_base)
            await anyio.to_thread.run_sync(hand_over_folders, folders, uid)
        return confine(
            config.cli,
            env,
            folders,
            level=config.level,
            limits=config.limits,
            uid=uid,
            proxied=proxied,
            readable=config.certificates.values(),
            closed_ports=config.closed_ports,
        )
