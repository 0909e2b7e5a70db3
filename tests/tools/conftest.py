"""A gateway's services with everything real: store, vault, supervisor, child processes, runner.

Children run without a sandbox, and the runner claims nothing, so that runs stay queued.
"""

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp import Client, FastMCP
from mcp_types import CallToolResult, TextContent

from gateway.approvals import PinKeeper
from gateway.audit.opening import open_audit
from gateway.auth.run_tokens import RunTokens
from gateway.calls.calls import Calls
from gateway.calls.kept_results import KeptResults
from gateway.credential_requests import Links
from gateway.credentials import Credentials
from gateway.domain.clock import utc_ms
from gateway.domain.node import Newcomer
from gateway.jobs.clock import SystemClock
from gateway.jobs.day_budgets import DayBudgets
from gateway.jobs.gate import Offer
from gateway.jobs.limits import RunLimits
from gateway.jobs.options import AgentConfig
from gateway.jobs.runner import Runner
from gateway.jobs.scheduler import Scheduler
from gateway.nodes import Membership
from gateway.notify.opening import open_notify
from gateway.run_files.opening import open_shelf
from gateway.server_entries import McpHttpEntry
from gateway.servers import Follower, Servers, Trials
from gateway.settings import load
from gateway.telemetry.opening import Telemetry
from gateway.tool_names import live_tools
from gateway.tools import Services
from gateway.tools.server import build_mcp
from gateway.variables import CodeChanges
from gateway.vault import KeySources, Vault
from gateway.webhooks import open_webhooks
from sandboxes.policy import Level
from supervisor.config import SupervisorConfig
from supervisor.events import Event
from supervisor.redaction import Redactor
from supervisor.slots.restart import RestartPolicy
from supervisor.spec import ServerSpec
from supervisor.supervisor import Supervisor
from tests.databases import open_store


class NoServers:
    """The gate of a runner that never starts a run."""

    def enabled_servers(self) -> tuple[str, ...]:
        """None."""
        return ()

    def offer(self, server: str) -> Offer:
        """None."""
        raise NotImplementedError

    def check_tools(self, tools: Any) -> None:
        """None."""

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """None."""
        raise NotImplementedError

    async def ready(self, servers: tuple[str, ...]) -> None:
        """At once."""

    def entries(
        self, servers: tuple[str, ...], token: str, base_url: str
    ) -> dict[str, McpHttpEntry]:
        """None."""
        return {}


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway as a caller of its tools sees it, and its insides."""

    services: Services
    mcp: FastMCP[Any]
    client: Client[Any]
    folder: Path
    events: list[Event]

    @property
    def dynamic(self) -> Path:
        """The folder of the dynamic servers."""
        return self.folder / "dynamic"

    @property
    def fixed(self) -> Path:
        """The folder of the fixed servers."""
        return self.folder / "fixed"

    async def raw(self, tool: str, /, **arguments: Any) -> CallToolResult:
        """Return what a tool answers, error or not."""
        return await self.client.call_tool_mcp(tool, arguments)

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """Return the structured answer of a tool that must succeed."""
        result = await self.raw(tool, **arguments)
        assert not result.is_error, text_of(result)
        assert isinstance(result.structured_content, dict)
        return result.structured_content

    async def refusal(self, tool: str, /, **arguments: Any) -> str:
        """Return the sentence of a tool that must refuse."""
        result = await self.raw(tool, **arguments)
        assert result.is_error, result
        assert result.structured_content is None
        return text_of(result)


def text_of(result: CallToolResult) -> str:
    """Return the text of a result that is one block of text."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def write_server(root: Path, name: str, code: str, **metadata: object) -> None:
    """Write the folder of a server by hand, as its owner would."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "server.py").write_text(code, encoding="utf-8")
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")


@asynccontextmanager
async def open_gateway(
    folder: Path,
    *,
    mode: str = "auto",
    long_call_s: str = "50",
    code_changes: CodeChanges = CodeChanges.RUN,
) -> AsyncIterator[Gateway]:
    """Start the services over what is in `folder`; a second time finds what the first one left."""
    environ = {
        "CLAUDE_RUNNER_HOME": str(folder / "home"),
        "FIXED_SERVERS_DIR": str(folder / "fixed"),
        "DYNAMIC_SERVERS_DIR": str(folder / "dynamic"),
        "DEFAULT_TIMEZONE": "Europe/Berlin",
        "LONG_CALL_S": long_call_s,
    }
    settings = load(environ, None)
    events: list[Event] = []
    async with open_store(settings.home / "jobs.db") as store:
        vault = await Vault.open(KeySources(settings.master_key_file), store.data_keys)
        credentials = Credentials(store.credentials, vault)

        async def values(spec: ServerSpec) -> Mapping[str, str]:
            return await credentials.values(spec.name, {c.key for c in spec.credentials})

        config = SupervisorConfig(
            home=settings.home,
            python=Path(sys.executable),
            level=Level.OFF,
            restart=RestartPolicy(base_s=60.0, cap_s=60.0),
        )
        runner = Runner(
            store=store,
            home=settings.home,
            clock=SystemClock(),
            agent=AgentConfig(None, "sonnet"),
            gate=NoServers(),
            run_tokens=RunTokens(),
            limits=RunLimits(0),
        )
        follower, keeper = Follower(), PinKeeper(store.definition_pins)
        pins = await store.definition_pins.all()

        def emit(event: Event) -> None:
            events.append(event)
            follower.hear(event)
            keeper.hear(event)

        supervisor = Supervisor(config=config, credentials=values, emit=emit, pins=pins)
        audit = open_audit(settings, store, supervisor.redactor)
        kept = KeptResults(settings.home)
        url = "http://127.0.0.1:8080"
        async with (
            supervisor,
            runner,
            open_webhooks(
                settings,
                store,
                vault,
                runner,
                lambda: url,
                Redactor(),
                DayBudgets(store, utc_ms),
                lambda: live_tools(supervisor.snapshots()),
            ) as webhooks,
            kept as results,
            Calls() as calls,
        ):
            servers = Servers(
                supervisor=supervisor,
                store=store,
                credentials=credentials,
                fixed_dir=settings.fixed_servers_dir,
                dynamic_dir=settings.dynamic_servers_dir,
                state_dir=settings.home / "servers",
                code_changes=code_changes,
            )
            await servers.disk.load_all()
            node = Membership(store, Newcomer("here", "node_1", "1", 3, url), folder / "lease")
            await node.join()
            node.carry(runner)
            for name in servers.names():
                follower.wake(name)
            services = Services(
                store=store,
                supervisor=supervisor,
                servers=servers,
                trials=Trials(
                    supervisor=supervisor,
                    credentials=credentials,
                    dynamic_dir=settings.dynamic_servers_dir,
                    state_dir=settings.home / "servers",
                ),
                credentials=credentials,
                credential_links=Links(utc_ms),
                vault=vault,
                webhooks=webhooks,
                notify=await open_notify(settings, store, vault, Redactor()),
                runner=runner,
                node=node,
                shelf=open_shelf(settings, store, Redactor()),
                scheduler=Scheduler(store, runner, SystemClock()),
                settings=settings,
                results=results,
                calls=calls,
                base_url=url,
                address=lambda: url,
                trail=audit.trail,
                telemetry=Telemetry(),
                audit_log=audit.log,
            )
            mcp = build_mcp(services)
            async with anyio.create_task_group() as group:
                group.start_soon(follower.run, servers.versions.look)
                group.start_soon(keeper.run)
                async with Client(mcp, mode=mode) as client:
                    yield Gateway(services, mcp, client, folder, events)
                group.cancel_scope.cancel()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway without servers, jobs or webhooks."""
    async with open_gateway(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
async def untouched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """An empty gateway for many tests that must change nothing."""
    async with open_gateway(tmp_path_factory.mktemp("untouched")) as opened:
        yield opened
