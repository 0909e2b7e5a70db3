"""From a tool's name in any spelling to the tool. Above: `invoke`, `discovery`."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from gateway.domain.units import shown
from gateway.tool_names import (
    ToolName,
    check_text,
    did_you_mean,
    doubt_about,
    exposed_names,
    live_tools,
    parse,
    resolve,
)
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from supervisor.events import ServerState

ToolText = Annotated[
    str, Field(description="'mcp__server__tool'; 'server:tool' and 'server.tool' mean the same.")
]


class Finder:
    """Finds tools of the servers that the supervisor knows."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def find(self, text: str) -> tuple[ToolName, Mapping[str, Any]]:
        """Return a tool and its definition, waiting for its server if that is being started.

        Raises:
            Refused, InvalidToolName: there is none, and what is nearest.
            ToolWithheld: it is quarantined.
        """
        supervisor = self._services.supervisor
        written = check_text(text)
        name = parse(written)
        # The plain way, without a look at every tool of every server.
        if name is None or name.server not in supervisor.names:
            name = self._resolve(written)
        if name.server in supervisor.names:
            await self._settled(name.server)
            for tool in supervisor.snapshot(name.server).tools:
                if tool.get("name") == name.tool:
                    return name, tool
            self.check_runs(name.server)
        name = self._resolve(written)
        if name.server in supervisor.names:
            withheld = supervisor.slot(name.server).pins.refusal(name.tool)
            if withheld is not None:
                raise withheld
        live = live_tools(supervisor.snapshots())
        if doubt := doubt_about(name, live):
            raise Refused(doubt)
        tools = supervisor.snapshot(name.server).tools
        return name, next(tool for tool in tools if tool.get("name") == name.tool)

    def check_runs(self, server: str) -> None:
        """Raise Refused when a server is switched off, or cannot be started as it is."""
        seen = self._services.supervisor.snapshot(server)
        if seen.state is ServerState.DISABLED:
            enable = f"enable_{'fixed' if seen.kind == 'fixed' else 'mcp'}_server"
            raise Refused(f"Server {server!r} is disabled; start it with {enable}.")
        if seen.state is ServerState.FAILED and not seen.tools:
            raise Refused(f"Server {server!r} is {seen.state}: {seen.reason}.")

    def shown_name(self, name: ToolName) -> str:
        """Return the name under which answers show a tool."""
        tools = live_tools((self._services.supervisor.snapshot(name.server),))
        return next(text for text, tool in exposed_names(tools).items() if tool == name)

    def _resolve(self, written: str) -> ToolName:
        live = live_tools(self._services.supervisor.snapshots())
        name = resolve(written, live)
        if name is None or name.tool == "*":
            names = [ToolName(server, tool).canonical for server in live for tool in live[server]]
            raise Refused(
                f"{shown(written)} names no tool of a server; write 'mcp__server__tool'."
                f"{did_you_mean(written, names)}"
            )
        return name

    async def _settled(self, server: str) -> None:
        supervisor, servers = self._services.supervisor, self._services.servers
        if supervisor.snapshot(server).state is ServerState.STARTING:
            await supervisor.wait_settled(server, servers.spec(server).start_timeout_s)
