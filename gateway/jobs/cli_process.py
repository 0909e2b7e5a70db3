"""The Claude CLI of one attempt: started, connected to its servers, ended."""

from collections import deque
from collections.abc import Callable

import anyio
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ClaudeSDKError, ProcessError

from gateway.jobs.folders import RunFolders
from gateway.jobs.process import ProcessGroup, end_group, read_group
from gateway.jobs.proof import ServerReport

CONNECT_S = 35.0
"""The CLI gives up on a server after 30 s (CONNECT_TIMEOUT_MS in options.py) and says so."""
CONNECT_POLL_S = 0.01
"""The CLI answers what it knows of its servers but does not announce a change."""
STDERR_LINES = 20


class CliProcess:
    """Not started when it is made. Whoever started it ends it."""

    def __init__(
        self,
        folders: RunFolders,
        options: Callable[[Callable[[str], None]], ClaudeAgentOptions],
        *,
        has_servers: bool,
    ) -> None:
        self._folders = folders
        self._has_servers = has_servers
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self.client = ClaudeSDKClient(options(self._stderr.append))
        self.group: ProcessGroup | None = None
        """Of its processes, once it has started."""
        self.started = anyio.Event()

    async def start(self) -> None:
        """Start it, unless it was started ahead. Raises ClaudeSDKError."""
        if self.started.is_set():
            return
        await self.client.connect()
        self.group = self.find_group()
        if self.group:
            self.started.set()

    def find_group(self) -> ProcessGroup | None:
        """Return the group of its processes, also of one that is still starting."""
        return self.group or read_group(self._folders.group_file)

    async def reach_servers(self) -> tuple[ServerReport, ...]:
        """Wait for its servers; return what it says of each. Raises ClaudeSDKError."""
        reports: tuple[ServerReport, ...] = ()
        if not self._has_servers:
            return reports
        with anyio.move_on_after(CONNECT_S):
            while True:
                reports = await self.look_at_servers()
                if reports and not _undecided(reports):
                    break
                await anyio.sleep(CONNECT_POLL_S)
        self._folders.servers_file.unlink(missing_ok=True)
        return reports

    async def end(self, *, idle: bool) -> None:
        """Leave no process: an idle one ends at once by itself, any other is killed first."""
        group = self.find_group()
        if group and not idle:
            await end_group(group)
        await self.client.disconnect()
        if group:
            await end_group(group)

    def sentence(self, error: ClaudeSDKError) -> str:
        """Return what went wrong, for a person."""
        code = error.exit_code if isinstance(error, ProcessError) else None
        last_words = self._stderr[-1] if self._stderr else str(error).partition("\n")[0]
        ended = "could not be used" if code is None else f"ended with exit code {code}"
        return f"The Claude CLI {ended}: {last_words.rstrip('.')}."

    async def look_at_servers(self) -> tuple[ServerReport, ...]:
        """Return what it says of each server now. Raises what the SDK raises."""
        status = await self.client.get_mcp_status()
        return tuple(
            ServerReport(
                name=server["name"],
                status=server["status"],
                tools=tuple(tool["name"] for tool in server.get("tools", [])),
                error=server.get("error", ""),
            )
            for server in status["mcpServers"]
        )


def _undecided(reports: tuple[ServerReport, ...]) -> bool:
    """Tell whether waiting can still help: a server is pending and none has failed."""
    statuses = {report.status for report in reports}
    return statuses <= {"pending", "connected"} and "pending" in statuses
